package io.tenantanalytics.flinkhost.operator;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * W = least over the partitions that count of (max event time - outOfOrderness), exactly: Flink's own bounded watermark is a
 * millisecond less. A partition that has shown no event holds W back; one that ended, or is idle, leaves the minimum. W never
 * goes back.
 */
final class PartitionClocks {
  static final long NOT_YET = Long.MIN_VALUE;

  private final long outOfOrderness;
  private final Map<String, Clock> clocks = new HashMap<>();
  private long value = NOT_YET;

  PartitionClocks(long outOfOrderness) {
    this.outOfOrderness = outOfOrderness;
  }

  static final class Clock {
    private long maxTime = NOT_YET;
    private boolean isIdle;
  }

  /** The watermark; {@link #NOT_YET} before there is one. */
  long value() {
    return value;
  }

  Set<String> partitions() {
    return Set.copyOf(clocks.keySet());
  }

  boolean has(String partition) {
    return clocks.containsKey(partition);
  }

  /** It is read from now on, and holds the watermark back until it has shown an event. */
  void add(String partition) {
    clocks.computeIfAbsent(partition, ignored -> new Clock());
  }

  /** What it had shown when a checkpoint was taken. It counts once all were restored: {@link #update}. */
  void restore(String partition, long maxTime) {
    Clock clock = clocks.computeIfAbsent(partition, ignored -> new Clock());
    clock.maxTime = Math.max(clock.maxTime, maxTime);
  }

  void show(String partition, long time) {
    Clock clock = clocks.computeIfAbsent(partition, ignored -> new Clock());
    clock.isIdle = false;
    if (time <= clock.maxTime) return;
    clock.maxTime = time;
    update();
  }

  void idle(String partition, boolean isIdle) {
    Clock clock = clocks.get(partition);
    if (clock != null) clock.isIdle = isIdle;
  }

  void end(String partition) {
    clocks.remove(partition);
  }

  boolean allIdle() {
    for (Clock clock : clocks.values()) if (!clock.isIdle) return false;
    return true;
  }

  Map<String, Long> maxTimes() {
    Map<String, Long> times = new HashMap<>();
    clocks.forEach((partition, clock) -> {
      if (clock.maxTime != NOT_YET) times.put(partition, clock.maxTime);
    });
    return times;
  }

  void update() {
    long least = Long.MAX_VALUE;
    for (Clock clock : clocks.values()) {
      if (clock.isIdle) continue;
      if (clock.maxTime == NOT_YET) return;
      least = Math.min(least, clock.maxTime);
    }
    if (least != Long.MAX_VALUE && least - outOfOrderness > value) value = least - outOfOrderness;
  }
}
