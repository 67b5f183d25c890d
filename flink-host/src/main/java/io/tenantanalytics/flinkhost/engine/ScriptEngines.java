package io.tenantanalytics.flinkhost.engine;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/** Opens the engine that a job asks for. */
public final class ScriptEngines {
  private static final long HEAP_LIMIT_BYTES_MIN = 16L << 20;
  private static final AtomicBoolean WARNED = new AtomicBoolean();

  private ScriptEngines() {}

  /**
   * @param kind {@code v8}; {@code graaljs}; or {@code auto}: V8, and where its native library does not load, GraalJS with a
   *     warning
   * @param bundleSource the graph, see {@link ScriptEngine}
   * @param bundleName as it stands in the stack of an error
   * @param timeLimit how long one call may run, and the loading of the bundle
   * @param heapLimitBytes of the script's memory, at least 16 MB; GraalJS uses the heap of the JVM and has no such limit
   * @param warn gets the warning, once for all engines of a job in a JVM
   * @throws ScriptException when the bundle does not parse, or throws, or does not end
   * @throws IllegalStateException when {@code v8} was asked for and cannot be had
   */
  public static ScriptEngine open(
      String kind, String bundleSource, String bundleName, Duration timeLimit, long heapLimitBytes, Consumer<String> warn) {
    if (timeLimit.isZero() || timeLimit.isNegative()) {
      throw new IllegalArgumentException("expected a time limit above zero, got " + timeLimit);
    }
    if (heapLimitBytes < HEAP_LIMIT_BYTES_MIN) {
      throw new IllegalArgumentException(
          "expected a heap limit of at least " + HEAP_LIMIT_BYTES_MIN + " bytes, got " + heapLimitBytes);
    }
    switch (kind) {
      case "v8":
      case "auto":
        try {
          return new V8Engine(V8World.get(), bundleSource, bundleName, prelude(), timeLimit.toNanos(), heapLimitBytes);
        } catch (V8World.Unavailable unavailable) {
          String why = "V8 cannot be loaded in this JVM (" + unavailable.getMessage() + ").";
          if (kind.equals("v8")) {
            throw new IllegalStateException(
                why + " Set engine=auto or engine=graaljs to run the graph in GraalJS, about 20 times slower.", unavailable);
          }
          if (WARNED.compareAndSet(false, true)) {
            warn.accept(
                why
                    + " The graph runs in GraalJS instead, which interprets it and is ABOUT 20 TIMES SLOWER."
                    + " To have V8: Linux on x86-64 with glibc 2.29 or newer, and a folder for temporary files that allows"
                    + " libraries to be loaded from it. To choose GraalJS, without this warning: --set engine=graaljs");
          }
        }
        return new GraalEngine(bundleSource, bundleName, prelude(), timeLimit.toNanos());
      case "graaljs":
        return new GraalEngine(bundleSource, bundleName, prelude(), timeLimit.toNanos());
      default:
        throw new IllegalArgumentException("expected the engine to be auto, v8 or graaljs, got '" + kind + "'");
    }
  }

  private static String prelude() {
    try (InputStream in = ScriptEngines.class.getResourceAsStream("prelude.js")) {
      if (in == null) throw new IOException("the jar has no prelude.js");
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
