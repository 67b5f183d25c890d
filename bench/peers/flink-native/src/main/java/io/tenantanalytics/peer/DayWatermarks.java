package io.tenantanalytics.peer;

import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;

/**
 * The latest job event less the disorder, sent when it comes to another day: the only timers are at midnights. So it is exact,
 * also for the last day of a bounded input, which a watermark sent by the clock is not.
 */
public class DayWatermarks implements WatermarkGenerator<Event> {
  private final long outOfOrdernessMs;
  private int day = Integer.MIN_VALUE;

  public DayWatermarks(long outOfOrdernessMs) {
    this.outOfOrdernessMs = outOfOrdernessMs;
  }

  @Override
  public void onEvent(Event event, long time, WatermarkOutput output) {
    if (event.ofCompany) return;
    long watermark = event.time - outOfOrdernessMs;
    int reached = Days.of(watermark);
    if (reached <= day) return;
    day = reached;
    output.emitWatermark(new Watermark(watermark));
  }

  @Override
  public void onPeriodicEmit(WatermarkOutput output) {
    // sent with the events
  }
}
