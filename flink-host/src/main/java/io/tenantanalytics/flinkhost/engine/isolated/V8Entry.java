package io.tenantanalytics.flinkhost.engine.isolated;

import com.caoccao.javet.enums.JSRuntimeType;
import com.caoccao.javet.interop.V8Host;
import com.caoccao.javet.interop.V8Runtime;
import com.caoccao.javet.interop.loader.IJavetLibLoadingListener;
import com.caoccao.javet.interop.loader.JavetLibLoader;
import com.caoccao.javet.interop.options.V8RuntimeOptions;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.LongSupplier;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * What the isolated world shows to the jobs of this JVM: types of the JDK only, so that no class of a job is known here.
 *
 * <p>{@code apply} takes bundle source, bundle name, prelude, time limit in nanoseconds (Long) and heap limit in bytes (Long),
 * and gives call, input, exchange, used heap, heap limit and close, in this order.
 */
public final class V8Entry implements Function<Object[], Object[]> {
  /**
   * Stack: V8 assumes 984 KB below its caller, but that is the whole stack of a JVM thread (1 MB by default, part of it in
   * use), and beyond it is a segmentation fault instead of a RangeError.
   *
   * <p>Memory protection keys: with them V8 crashes in the JVM on some CPUs (threads that are older than the library have
   * no right to its key), and a job cannot set the environment variable {@code JAVET_DISABLE_PKU} of its own process. What
   * is lost is one hardening against wrong writes to compiled code.
   */
  private static final String FLAGS = "--stack-size=512 --no-memory-protection-keys";

  /**
   * Javet logs by java.util.logging, whose lines reach no log of a cluster. What it fails with it throws, too, and that is
   * told. Kept here, since a logger that nobody holds forgets its level.
   */
  private static final Logger JAVET_LOG = Logger.getLogger("com.caoccao.javet");

  private V8Entry() {}

  /** Loads the library, which is in {@code libraryFolder} under the name Javet has for it. Once per world. */
  public static Function<Object[], Object[]> boot(String libraryFolder) throws InterruptedException {
    JAVET_LOG.setLevel(Level.OFF);
    Throwable[] failure = new Throwable[1];
    // Javet starts threads and keeps what it fails with: all of that from a thread that stems from no job.
    Thread thread = Watchdog.unattached("tenant-analytics-v8-start", () -> failure[0] = load(new File(libraryFolder)));
    thread.start();
    thread.join();
    if (failure[0] == null) return new V8Entry();
    throw new UnsatisfiedLinkError(String.valueOf(failure[0].getMessage()));
  }

  private static Throwable load(File folder) {
    try {
      JavetLibLoader.setLibLoadingListener(
          new IJavetLibLoadingListener() {
            @Override
            public File getLibPath(JSRuntimeType type) {
              return folder;
            }

            @Override
            public boolean isDeploy(JSRuntimeType type) {
              return false;
            }
          });
      V8RuntimeOptions.V8_FLAGS.setUseStrict(false).setCustomFlags(FLAGS);
      V8Host host = V8Host.getV8Instance();
      if (!host.isLibraryLoaded()) return rootOf(host.getLastException());
      // V8 sets up what is global with its first runtime; not while several jobs make theirs.
      try (V8Runtime first = host.createV8Runtime()) {
        first.getExecutor("0").executeVoid();
      }
      return null;
    } catch (Throwable failed) {
      return rootOf(failed);
    }
  }

  private static Throwable rootOf(Throwable failed) {
    Throwable root = failed;
    while (root != null && root.getCause() != null) root = root.getCause();
    return root == null ? new UnsatisfiedLinkError("the library did not load, without a reason") : root;
  }

  @Override
  public Object[] apply(Object[] of) {
    V8Script script = new V8Script((String) of[0], (String) of[1], (String) of[2], (Long) of[3], (Long) of[4]);
    return new Object[] {
      (BiFunction<String, String, String>) script::call,
      (IntFunction<ByteBuffer>) script::input,
      (IntFunction<ByteBuffer>) script::exchange,
      (LongSupplier) script::heapUsed,
      (LongSupplier) script::heapLimit,
      (Runnable) script::close
    };
  }
}
