package io.tenantanalytics.flinkhost.engine;

import io.tenantanalytics.flinkhost.engine.isolated.Watchdog;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.graalvm.polyglot.Context;
import org.graalvm.polyglot.Engine;
import org.graalvm.polyglot.HostAccess;
import org.graalvm.polyglot.PolyglotException;
import org.graalvm.polyglot.Source;
import org.graalvm.polyglot.Value;

/**
 * GraalJS, interpreted: for where V8 does not load. The script's buffers are copied, eight bytes at a time; next to what the
 * interpreter takes for the same bytes, that is little.
 */
final class GraalEngine implements ScriptEngine {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  /** Shared by the engines of a job in a JVM: a bundle is parsed once. */
  private static final Engine ENGINE = newEngine();

  private final Context context;
  private final Watchdog.Watch watch;
  private final long limitNanos;
  private final Value call;
  private final Value exchange;
  private final Value reserve;
  private final Value inputOf;
  private final Value outputOf;
  private final Value failureOf;
  private final Value describe;
  private Value inputScript;
  private Value outputScript;
  private ByteBuffer input;
  private ByteBuffer output;
  private boolean disposed;

  GraalEngine(String source, String name, String prelude, long limitNanos) {
    this.limitNanos = limitNanos;
    context = newContext();
    // Loads most of GraalJS's own classes: that can take seconds, and is not the bundle's fault.
    context.eval(sourceOf("0", "flink-host:start"));
    watch = Watchdog.watch(limitNanos, this::interrupt);
    try {
      Value script =
          guarded(
              () -> {
                context.eval(sourceOf(source, name));
                return context.eval(sourceOf(prelude, "flink-host:prelude"));
              },
              null);
      call = script.getMember("call");
      exchange = script.getMember("exchange");
      reserve = script.getMember("reserve");
      inputOf = script.getMember("input");
      outputOf = script.getMember("output");
      failureOf = script.getMember("failure");
      describe = script.getMember("describe");
      guarded(this::fetchBuffers);
    } catch (RuntimeException | Error failed) {
      close();
      throw failed;
    }
  }

  private static Engine newEngine() {
    try {
      // The first engine of a class loader leaves a shutdown hook, which would keep the classes of a job in memory for as long
      // as the JVM lives. It closes engines when the JVM ends: not needed here.
      Field hook = Engine.class.getDeclaredField("shutdownHookInitialized");
      hook.setAccessible(true);
      hook.setBoolean(null, true);
    } catch (ReflectiveOperationException | RuntimeException another) {
      // Another version, without that field: a resubmission costs memory, and works.
    }
    return Engine.newBuilder("js")
        .allowExperimentalOptions(true)
        // ScriptEngines says it in terms of this project.
        .option("engine.WarnInterpreterOnly", "false")
        .build();
  }

  private static Context newContext() {
    return Context.newBuilder("js")
        .engine(ENGINE)
        .allowExperimentalOptions(true)
        .allowHostAccess(HostAccess.NONE)
        .option("js.ecmascript-version", "2022")
        .option("js.console", "false")
        .option("js.print", "false")
        .option("js.load", "false")
        .option("js.graal-builtin", "false")
        .option("js.polyglot-builtin", "false")
        .option("js.global-arguments", "false")
        // As V8 here, which is built without it.
        .option("js.intl-402", "false")
        .option("js.unhandled-rejections", "throw")
        .build();
  }

  private static Source sourceOf(String text, String name) {
    return Source.newBuilder("js", text, name).cached(true).buildLiteral();
  }

  @Override
  public String name() {
    return "graaljs";
  }

  @Override
  public String call(String function, String argument) {
    Value answer = guarded(() -> call.execute(function, argument));
    if (answer.isNull()) throw thrown();
    return answer.asString();
  }

  @Override
  public ByteBuffer input(int capacity) {
    if (capacity > input.capacity()) {
      if (guarded(() -> reserve.execute(capacity)).asInt() == -1) throw thrown();
      guarded(this::fetchBuffers);
    }
    return input.clear();
  }

  @Override
  public ByteBuffer exchange(int length) {
    if (length < 0 || length > input.capacity()) {
      throw new IllegalArgumentException("expected a length of 0 to " + input.capacity() + ", got " + length);
    }
    int status =
        guarded(
                () -> {
                  copyIn(length);
                  return exchange.execute(length);
                })
            .asInt();
    if (status == -1) throw thrown();
    boolean replaced = status < -1;
    int written = replaced ? -2 - status : status;
    return guarded(
        () -> {
          if (replaced) fetchBuffers();
          copyOut(written);
          return output.limit(written);
        });
  }

  @Override
  public long heapUsed() {
    return -1;
  }

  @Override
  public long heapLimit() {
    return -1;
  }

  @Override
  public void close() {
    if (watch.retire()) dispose();
  }

  private Void fetchBuffers() {
    inputScript = inputOf.execute();
    outputScript = outputOf.execute();
    input = ByteBuffer.allocate(Math.toIntExact(inputScript.getBufferSize())).order(ORDER);
    output = ByteBuffer.allocate(Math.toIntExact(outputScript.getBufferSize())).order(ORDER);
    return null;
  }

  private void copyIn(int length) {
    int at = 0;
    for (; at + 8 <= length; at += 8) inputScript.writeBufferLong(ORDER, at, input.getLong(at));
    for (; at < length; at++) inputScript.writeBufferByte(at, input.get(at));
  }

  private void copyOut(int length) {
    output.clear(); // it ended with the answer before, which may have been shorter
    int at = 0;
    for (; at + 8 <= length; at += 8) output.putLong(at, outputScript.readBufferLong(ORDER, at));
    for (; at < length; at++) output.put(at, outputScript.readBufferByte(at));
  }

  private <T> T guarded(Supplier<T> step) {
    return guarded(step, describe);
  }

  /** Runs the script within its limits; all errors come out of here. */
  private <T> T guarded(Supplier<T> step, Value describer) {
    if (!watch.begin()) throw new ScriptException("The script engine is closed.", true);
    T result = null;
    Throwable failed = null;
    boolean late;
    try {
      result = step.get();
    } catch (RuntimeException | Error thrown) {
      failed = thrown;
    } finally {
      late = watch.end();
    }
    if (late) throw lost("The script did not end within " + limitNanos / 1_000_000 + " ms, and was ended.", null);
    if (watch.isRetired()) throw lost("The script engine was closed while the script ran.", null);
    if (failed == null) return result;
    if (failed instanceof PolyglotException) {
      PolyglotException script = (PolyglotException) failed;
      if (script.isResourceExhausted() || script.isCancelled() || script.isInterrupted()) {
        throw lost("The script was ended: " + script.getMessage(), null);
      }
      if (script.isGuestException()) throw new ScriptException(textOf(script, describer), false);
    }
    throw lost("GraalJS failed: " + failed, failed);
  }

  private ScriptException lost(String why, Throwable cause) {
    watch.retire();
    dispose();
    return new ScriptException(why, true, cause);
  }

  private ScriptException thrown() {
    return new ScriptException(guarded(failureOf::execute).asString(), false);
  }

  /** Of what no prelude could catch: the bundle does not parse or throws as it is loaded, or a promise nobody handled. */
  private String textOf(PolyglotException thrown, Value describer) {
    if (describer != null && thrown.getGuestObject() != null) {
      String text = guarded(() -> describer.execute(thrown.getGuestObject()).asString(), null);
      return "A promise was rejected and nobody handled it: " + text;
    }
    StringBuilder text = new StringBuilder(String.valueOf(thrown.getMessage()));
    for (PolyglotException.StackFrame frame : thrown.getPolyglotStackTrace()) {
      if (frame.isGuestFrame()) text.append("\n    at ").append(frame.toString());
    }
    return text.toString();
  }

  /** By the watchdog. */
  private void interrupt() {
    try {
      context.interrupt(Duration.ofMillis(1));
    } catch (TimeoutException notYet) {
      // Tried again at its next tick.
    }
  }

  private synchronized void dispose() {
    if (disposed) return;
    disposed = true;
    watch.close();
    context.close(true);
  }
}
