package io.tenantanalytics.flinkhost.operator;

import io.tenantanalytics.flinkhost.bytes.BytesIn;
import io.tenantanalytics.flinkhost.bytes.BytesOut;
import io.tenantanalytics.flinkhost.engine.ScriptEngine;
import io.tenantanalytics.flinkhost.engine.ScriptEngines;
import io.tenantanalytics.flinkhost.graph.Bundle;
import io.tenantanalytics.flinkhost.graph.Json;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The script of one operator: bytes across, and what it tells besides as metrics and log lines. */
final class Script implements AutoCloseable {
  /** Nothing that a script does for one exchange takes so long. */
  private static final Duration TIME_LIMIT = Duration.ofSeconds(30);

  private static final long HEAP_LIMIT_BYTES = 1L << 30;
  private static final Logger LOG = LoggerFactory.getLogger(Script.class);

  private final ScriptEngine engine;
  private final MetricGroup metrics;
  private final Map<String, Counter> counters = new HashMap<>();
  private final BytesIn answer = new BytesIn();

  /**
   * @param properties the property groups, with secrets in them only where the script sends requests
   * @param metrics the operator's; what the managed service shows in CloudWatch lies in a group of its own there
   */
  Script(ScriptSettings settings, String open, List<?> properties, MetricGroup metrics) {
    this.metrics = metrics.addGroup("kinesisanalytics").addGroup("graph", settings.graph.name);
    engine =
        ScriptEngines.open(
            settings.graph.engine, Bundle.source(), Bundle.NAME, TIME_LIMIT, HEAP_LIMIT_BYTES, LOG::warn);
    try {
      begin(settings, open, properties);
    } catch (RuntimeException | Error refused) {
      // Nobody has this script, so nobody else closes it.
      engine.close();
      throw refused;
    }
  }

  private void begin(ScriptSettings settings, String open, List<?> properties) {
    String name = engine.name();
    LOG.info("The graph runs in {} ({}).", name, open);
    metrics.addGroup("engine", name).gauge("tenant_analytics_script_engine", () -> 1);
    metrics.gauge("tenant_analytics_script_heap_bytes", engine::heapUsed);
    metrics.gauge("tenant_analytics_script_heap_limit_bytes", engine::heapLimit);
    Map<String, Object> request = new LinkedHashMap<>();
    request.put("properties", properties);
    request.put("inputs", Json.parse(settings.inputs, List.class));
    request.put("streams", settings.streams);
    engine.call(open, Json.write(request));
  }

  MetricGroup metrics() {
    return metrics;
  }

  /** What the script answers to a question, as JSON. */
  <T> T ask(String name, Class<T> type) {
    return Json.parse(engine.call(name, "null"), type);
  }

  /** The answer to what was written; valid until the next exchange. */
  BytesIn exchange(BytesOut request) {
    ByteBuffer input = engine.input(request.length());
    request.putInto(input);
    answer.fill(engine.exchange(request.length()));
    return answer;
  }

  /** What came of it, once promises were kept. */
  BytesIn collect() {
    answer.fill(engine.exchange(0));
    return answer;
  }

  /** What the script counted: how many, then for each metric, label, the label's value, and how much. */
  void count(BytesIn from) {
    for (long left = from.varint(); left > 0; left--) {
      String name = from.text();
      String label = from.text();
      String value = from.text();
      counters
          .computeIfAbsent(name + ' ' + value, ignored -> metrics.addGroup(label, value).counter(name))
          .inc(from.varint());
    }
  }

  void warn(String message) {
    LOG.warn(message);
  }

  @Override
  public void close() {
    engine.close();
  }
}
