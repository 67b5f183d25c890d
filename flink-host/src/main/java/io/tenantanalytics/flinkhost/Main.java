package io.tenantanalytics.flinkhost;

import com.amazonaws.services.kinesisanalytics.runtime.KinesisAnalyticsRuntime;
import io.tenantanalytics.flinkhost.engine.ScriptEngine;
import io.tenantanalytics.flinkhost.graph.GraphDescription;
import io.tenantanalytics.flinkhost.graph.GraphJob;
import io.tenantanalytics.flinkhost.graph.Json;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.environment.ExecutionCheckpointingOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.slf4j.LoggerFactory;

/**
 * Submits the graph of the bundle inside this jar.
 *
 * <p>On the managed service it takes no arguments: properties come from its runtime, parallelism, checkpoints and state from
 * its configuration. Elsewhere: {@code --mode run|replay --properties JSON [--parallelism N] [--checkpoint-interval-ms N]
 * [--checkpoint-dir URI] [--<source> FILE …]}.
 */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    Map<String, String> options = options(args);
    String properties = options.containsKey("properties") ? options.get("properties") : ofManagedService();
    boolean isReplay = "replay".equals(options.getOrDefault("mode", "run"));
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    environment.setRuntimeMode(RuntimeExecutionMode.STREAMING);
    environment.getConfig().enableObjectReuse();
    environment.configure(configuration(options));
    try (ScriptEngine engine = GraphJob.openEngine(engineOf(properties), LoggerFactory.getLogger(Main.class)::warn)) {
      GraphDescription graph = GraphJob.describe(engine, properties);
      if (isReplay) GraphJob.bounded(environment, graph, properties, options, engine);
      else GraphJob.live(environment, graph, properties);
      environment.execute(graph.name);
    }
  }

  /** Only what the user asked for, and what every job of ours needs; the rest is the cluster's. */
  private static Configuration configuration(Map<String, String> options) {
    Configuration configuration = new Configuration();
    configuration.set(PipelineOptions.GENERIC_TYPES, false);
    // A service that is away holds up checkpoints, not the job.
    configuration.set(ExecutionCheckpointingOptions.TOLERABLE_FAILURE_NUMBER, Integer.MAX_VALUE);
    if (options.containsKey("parallelism")) {
      configuration.set(
          org.apache.flink.configuration.CoreOptions.DEFAULT_PARALLELISM, Integer.parseInt(options.get("parallelism")));
    }
    if (options.containsKey("checkpoint-interval-ms")) {
      configuration.set(
          ExecutionCheckpointingOptions.CHECKPOINTING_INTERVAL,
          java.time.Duration.ofMillis(Long.parseLong(options.get("checkpoint-interval-ms"))));
    }
    if (options.containsKey("checkpoint-dir")) {
      configuration.set(
          org.apache.flink.configuration.CheckpointingOptions.CHECKPOINTS_DIRECTORY, options.get("checkpoint-dir"));
    }
    return configuration;
  }

  private static String engineOf(String properties) {
    for (Object group : Json.parse(properties, List.class)) {
      Object values = ((Map<?, ?>) group).get("PropertyMap");
      Object engine = values instanceof Map ? ((Map<?, ?>) values).get("engine") : null;
      if (engine instanceof String) return (String) engine;
    }
    return "auto";
  }

  private static String ofManagedService() throws IOException {
    List<Object> groups = new ArrayList<>();
    for (Map.Entry<String, Properties> each : KinesisAnalyticsRuntime.getApplicationProperties().entrySet()) {
      Map<String, Object> group = new LinkedHashMap<>();
      group.put("PropertyGroupId", each.getKey());
      group.put("PropertyMap", each.getValue());
      groups.add(group);
    }
    if (groups.isEmpty()) {
      throw new IllegalArgumentException(
          "expected runtime properties of the managed service, or --properties JSON, got neither");
    }
    return Json.write(groups);
  }

  private static Map<String, String> options(String[] args) {
    Map<String, String> options = new LinkedHashMap<>();
    for (int at = 0; at < args.length; at += 2) {
      if (!args[at].startsWith("--") || at + 1 == args.length) {
        throw new IllegalArgumentException("expected --name value, got " + args[at]);
      }
      options.put(args[at].substring(2), args[at + 1]);
    }
    return options;
  }
}
