package io.tenantanalytics.flinkhost.engine.isolated;

import com.caoccao.javet.enums.JavetPromiseRejectEvent;
import com.caoccao.javet.exceptions.BaseJavetScriptingException;
import com.caoccao.javet.exceptions.JavetException;
import com.caoccao.javet.exceptions.JavetScriptingError;
import com.caoccao.javet.exceptions.JavetTerminatedException;
import com.caoccao.javet.interop.V8Host;
import com.caoccao.javet.interop.V8Runtime;
import com.caoccao.javet.interop.monitoring.V8HeapStatistics;
import com.caoccao.javet.utils.JavetResourceUtils;
import com.caoccao.javet.values.V8Value;
import com.caoccao.javet.values.primitive.V8ValueInteger;
import com.caoccao.javet.values.primitive.V8ValueNull;
import com.caoccao.javet.values.reference.V8ValueArrayBuffer;
import com.caoccao.javet.values.reference.V8ValueFunction;
import com.caoccao.javet.values.reference.V8ValueObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.CancellationException;

/**
 * A V8 runtime with a bundle. Errors leave as types of the JDK: IllegalStateException when the script threw,
 * CancellationException when the script was ended and the runtime is closed.
 */
final class V8Script {
  private static final long SAMPLE_INTERVAL_NANOS = 1_000_000_000L;

  /** Not of the language, or another one than GraalJS has: what a bundle must not come to need. */
  private static final String REMOVE_GLOBALS = "delete globalThis.console; delete globalThis.WebAssembly;";

  private final V8Runtime runtime;
  private final Watchdog.Watch watch;
  private final HeapGuard heap;
  private final long limitNanos;

  private V8ValueFunction call;
  private V8ValueFunction exchange;
  private V8ValueFunction reserve;
  private V8ValueFunction inputOf;
  private V8ValueFunction outputOf;
  private V8ValueFunction failureOf;
  private V8ValueFunction describe;

  /** Held as long as their memory is in use on this side. */
  private V8ValueArrayBuffer inputHandle;

  private V8ValueArrayBuffer outputHandle;
  private ByteBuffer input;
  private ByteBuffer output;

  /** Promises of the call under way that were rejected and have no handler; the first one's reason. */
  private int rejections;

  private V8Value rejection;
  private long nextSample;
  private boolean disposed;

  private interface Step<T> {
    T run() throws JavetException;
  }

  V8Script(String source, String name, String prelude, long limitNanos, long heapLimit) {
    this.limitNanos = limitNanos;
    try {
      runtime = V8Host.getV8Instance().createV8Runtime();
    } catch (JavetException failed) {
      throw new CancellationException("V8 could not make a runtime: " + failed.getMessage());
    }
    watch = Watchdog.watch(limitNanos, runtime::terminateExecution);
    heap = new HeapGuard(runtime, heapLimit);
    runtime.setPromiseRejectCallback(this::onPromise);
    try {
      guarded(
          () -> {
            runtime.getExecutor(REMOVE_GLOBALS).executeVoid();
            runtime.getExecutor(source).setResourceName(name).executeVoid();
            try (V8ValueObject script = runtime.getExecutor(prelude).setResourceName("flink-host:prelude").execute()) {
              call = script.get("call");
              exchange = script.get("exchange");
              reserve = script.get("reserve");
              inputOf = script.get("input");
              outputOf = script.get("output");
              failureOf = script.get("failure");
              describe = script.get("describe");
            }
            fetchBuffers();
            return null;
          });
      sample();
    } catch (RuntimeException | Error failed) {
      close();
      throw failed;
    }
  }

  String call(String function, String argument) {
    V8Value answer =
        guarded(
            () ->
                call.callExtended(
                    null,
                    true,
                    new V8Value[] {runtime.createV8ValueString(function), runtime.createV8ValueString(argument)}));
    if (answer instanceof V8ValueNull) throw thrown();
    sampleWhenDue();
    return answer.toString();
  }

  ByteBuffer input(int capacity) {
    if (capacity > input.capacity()) {
      // The old memory may go while it is being replaced.
      int status = guarded(() -> integer(reserve, capacity));
      if (status == -1) throw thrown();
      guarded(this::fetchBuffers);
    }
    return input.clear();
  }

  ByteBuffer exchange(int length) {
    if (length < 0 || length > input.capacity()) {
      throw new IllegalArgumentException("expected a length of 0 to " + input.capacity() + ", got " + length);
    }
    int status = guarded(() -> integer(exchange, length));
    if (status == -1) throw thrown();
    int written = status;
    if (status < -1) {
      written = -2 - status;
      guarded(this::fetchBuffers);
    }
    sampleWhenDue();
    return output.clear().limit(written);
  }

  long heapUsed() {
    return heap.used();
  }

  long heapLimit() {
    return heap.limit();
  }

  /** By another thread while the script runs: ends the run, and its thread disposes. */
  void close() {
    if (watch.retire()) dispose();
  }

  private int integer(V8ValueFunction function, int argument) throws JavetException {
    V8Value answer = function.callExtended(null, true, new V8Value[] {runtime.createV8ValueInteger(argument)});
    return ((V8ValueInteger) answer).getValue();
  }

  private Void fetchBuffers() throws JavetException {
    releaseBuffers();
    inputHandle = inputOf.callExtended(null, true, new V8Value[0]);
    outputHandle = outputOf.callExtended(null, true, new V8Value[0]);
    input = memoryOf(inputHandle);
    output = memoryOf(outputHandle);
    return null;
  }

  private static ByteBuffer memoryOf(V8ValueArrayBuffer handle) throws JavetException {
    // An empty ArrayBuffer has no memory to point at.
    ByteBuffer memory = handle.getByteLength() == 0 ? ByteBuffer.allocate(0) : handle.getByteBuffer();
    return memory.order(ByteOrder.LITTLE_ENDIAN);
  }

  private void releaseBuffers() throws JavetException {
    if (inputHandle != null) inputHandle.close();
    if (outputHandle != null) outputHandle.close();
    inputHandle = null;
    outputHandle = null;
  }

  /** Runs the script within its limits; all errors come out of here. */
  private <T> T guarded(Step<T> step) {
    if (!watch.begin()) throw new CancellationException("The script engine is closed.");
    T result = null;
    Throwable failed = null;
    boolean late;
    try {
      result = step.run();
    } catch (Throwable thrown) {
      failed = thrown;
    } finally {
      late = watch.end();
    }
    if (late) throw lost("The script did not end within " + limitNanos / 1_000_000 + " ms, and was ended.");
    if (heap.exceeded()) throw lost(heap.message());
    if (watch.isRetired()) throw lost("The script engine was closed while the script ran.");
    if (failed instanceof JavetTerminatedException) throw lost("The script was ended.");
    if (failed instanceof BaseJavetScriptingException) {
      throw new IllegalStateException(textOf(((BaseJavetScriptingException) failed).getScriptingError()));
    }
    if (failed != null) throw lost("V8 failed: " + failed);
    if (rejections > 0) throw unhandledRejection();
    if (rejection != null) forgetRejection();
    return result;
  }

  private CancellationException lost(String why) {
    watch.retire();
    dispose();
    return new CancellationException(why);
  }

  private IllegalStateException thrown() {
    return new IllegalStateException(guarded(() -> failureOf.callExtended(null, true, new V8Value[0]).toString()));
  }

  /** Of what no prelude could catch: the bundle does not parse, or throws as it is loaded. */
  private static String textOf(JavetScriptingError error) {
    String text = error.getStack() == null || error.getStack().isEmpty() ? error.getMessage() : error.getStack();
    return text + "\n    at " + error.getResourceName() + ":" + error.getLineNumber() + ":" + (error.getStartColumn() + 1);
  }

  private void onPromise(JavetPromiseRejectEvent event, V8Value promise, V8Value reason) {
    if (event == JavetPromiseRejectEvent.PromiseHandlerAddedAfterReject) rejections = Math.max(0, rejections - 1);
    if (event != JavetPromiseRejectEvent.PromiseRejectWithNoHandler) return;
    rejections++;
    if (rejection != null) return;
    try {
      rejection = reason.toClone();
    } catch (JavetException failed) {
      rejection = null;
    }
  }

  /** It has got a handler before the call was over. */
  private void forgetRejection() {
    JavetResourceUtils.safeClose(rejection);
    rejection = null;
  }

  private IllegalStateException unhandledRejection() {
    rejections = 0;
    V8Value reason = rejection;
    rejection = null;
    String text = "for an unknown reason";
    try {
      // There is no `describe` yet when the bundle itself has done it, as it was loaded.
      if (describe == null) text = String.valueOf(reason);
      else if (reason != null) text = guarded(() -> describe.callExtended(null, true, new V8Value[] {reason}).toString());
    } finally {
      JavetResourceUtils.safeClose(reason);
    }
    return new IllegalStateException("A promise was rejected and nobody handled it: " + text);
  }

  private void sampleWhenDue() {
    if (System.nanoTime() - nextSample >= 0) sample();
  }

  private void sample() {
    guarded(
        () -> {
          // Housekeeping that V8 has put off until somebody has time for it.
          runtime.await();
          heap.sample(runtime.getV8HeapStatistics().getNow((V8HeapStatistics) null));
          if (heap.isOver()) {
            runtime.lowMemoryNotification();
            heap.judge(runtime.getV8HeapStatistics().getNow((V8HeapStatistics) null));
          }
          return null;
        });
    nextSample = System.nanoTime() + SAMPLE_INTERVAL_NANOS;
  }

  private synchronized void dispose() {
    if (disposed) return;
    disposed = true;
    watch.close();
    try {
      runtime.cancelTerminateExecution();
      runtime.setNearHeapLimitCallback(null);
      releaseBuffers();
      JavetResourceUtils.safeClose(call, exchange, reserve, inputOf, outputOf, failureOf, describe, rejection);
      runtime.close(true);
    } catch (JavetException failed) {
      throw new CancellationException("V8 could not close a runtime: " + failed.getMessage());
    }
  }
}
