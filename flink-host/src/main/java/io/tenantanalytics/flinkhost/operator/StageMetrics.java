package io.tenantanalytics.flinkhost.operator;

import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.apache.flink.metrics.MetricGroup;

/** Metrics of the stages, under the Node host's names (docs/flink.md, Metrics). */
final class StageMetrics {
  private final Script script;
  private volatile Map<?, ?> status;

  /** @param watermark in epoch ms */
  StageMetrics(Script script, LongSupplier watermark) {
    this.script = script;
    read();
    MetricGroup metrics = script.metrics();
    metrics.gauge("tenant_analytics_watermark_seconds", () -> Math.max(0, watermark.getAsLong()) / 1000.0);
    metrics.gauge("tenant_analytics_resident_keys", () -> status.get("residentKeys"));
    metrics.gauge("tenant_analytics_back_pressure_bytes", () -> status.get("heldBytes"));
    for (int at = 0; at < services().size(); at++) {
      int index = at;
      MetricGroup group = metrics.addGroup("service", String.valueOf(ofService(index, "service")));
      group.gauge("tenant_analytics_calls_total", () -> ofService(index, "sent"));
      group.gauge("tenant_analytics_call_failures_total", () -> ofService(index, "failures"));
      group.gauge("tenant_analytics_calls_held", () -> ofService(index, "held"));
      group.gauge("tenant_analytics_calls_to_ask_again", () -> ofService(index, "toAskAgain"));
      group.gauge("tenant_analytics_breaker_open", () -> opennessOf(ofService(index, "breaker")));
    }
  }

  /** From the operator's thread: the script has no other. */
  void read() {
    status = script.ask("status", Map.class);
  }

  private List<?> services() {
    return (List<?>) status.get("services");
  }

  private Object ofService(int index, String name) {
    return ((Map<?, ?>) services().get(index)).get(name);
  }

  private static double opennessOf(Object breaker) {
    return "closed".equals(breaker) ? 0 : "open".equals(breaker) ? 1 : 0.5;
  }
}
