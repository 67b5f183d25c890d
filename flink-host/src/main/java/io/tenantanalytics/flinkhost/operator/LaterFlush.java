package io.tenantanalytics.flinkhost.operator;

import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.function.ThrowingRunnable;

/** Flushes a bundle that did not fill, so that a slow stream is not a late one. */
final class LaterFlush {
  private static final long AFTER_MS = 20;

  private final ProcessingTimeService time;
  private final ThrowingRunnable<Exception> flush;
  private boolean isDue;

  LaterFlush(ProcessingTimeService time, ThrowingRunnable<Exception> flush) {
    this.time = time;
    this.flush = flush;
  }

  /** Once for all that ask meanwhile. */
  void ask() {
    if (isDue) return;
    isDue = true;
    time.registerTimer(
        time.getCurrentProcessingTime() + AFTER_MS,
        ignored -> {
          isDue = false;
          flush.run();
        });
  }
}
