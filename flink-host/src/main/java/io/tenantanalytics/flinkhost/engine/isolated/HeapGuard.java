package io.tenantanalytics.flinkhost.engine.isolated;

import com.caoccao.javet.interop.V8Runtime;
import com.caoccao.javet.interop.callback.IJavetNearHeapLimitCallback;
import com.caoccao.javet.interop.monitoring.V8HeapStatistics;

/**
 * The heap limit of one runtime. V8 ends the process at the limit, so it is asked to say when it comes near: then the script
 * is ended, with some room left to V8 for the way out.
 *
 * <p>What this cannot hold: a single built-in call that wants more than that room at once (an array of 100 million elements)
 * still ends the process, because a script is ended between its steps only. And ArrayBuffers are outside the heap: they are
 * counted when a call has returned, not while it runs.
 */
final class HeapGuard implements IJavetNearHeapLimitCallback {
  private static final long ROOM_BYTES_MIN = 256L << 20;
  private static final int ROOMS_MAX = 4;

  private final V8Runtime runtime;
  private final long limit;
  private volatile long used;
  private volatile boolean exceeded;
  private int rooms;

  HeapGuard(V8Runtime runtime, long limit) {
    this.runtime = runtime;
    this.limit = limit;
    // V8's flags for it are for all runtimes of the process. To take a callback away sets the limit of one
    // (getDefaultHeapLimit); only downwards, a higher one is given when V8 asks.
    runtime.setNearHeapLimitCallback(this);
    runtime.setNearHeapLimitCallback(null);
    runtime.setNearHeapLimitCallback(this);
  }

  long used() {
    return used;
  }

  long limit() {
    return limit;
  }

  boolean exceeded() {
    return exceeded;
  }

  String message() {
    return "The script used more than its " + (limit >> 20) + " MB of memory, and was ended.";
  }

  @Override
  public long getDefaultHeapLimit() {
    return limit;
  }

  /** Called in the middle of a garbage collection: no script may run here. */
  @Override
  public long callback(long current, long initial) {
    if (current < limit) return limit;
    exceeded = true;
    runtime.terminateExecution();
    return rooms++ < ROOMS_MAX ? current + Math.max(ROOM_BYTES_MIN, limit) : current;
  }

  /** {@code null} when V8 had no figures to give. */
  void sample(V8HeapStatistics statistics) {
    if (statistics != null) used = statistics.getUsedHeapSize() + statistics.getExternalMemory();
  }

  /** Some of it may be garbage. */
  boolean isOver() {
    return used > limit;
  }

  /** After a garbage collection. */
  void judge(V8HeapStatistics statistics) {
    sample(statistics);
    if (isOver()) exceeded = true;
  }
}
