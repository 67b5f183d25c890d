package io.tenantanalytics.flinkhost;

import com.amazonaws.services.kinesisanalytics.runtime.KinesisAnalyticsRuntime;
import io.tenantanalytics.flinkhost.engine.ScriptEngine;
import io.tenantanalytics.flinkhost.graph.GraphDescription;
import io.tenantanalytics.flinkhost.graph.GraphJob;
import io.tenantanalytics.flinkhost.graph.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
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
 * its configuration. Elsewhere: {@code --properties JSON}, or {@code --properties-file FILE} in the shape of the managed
 * service's, and {@code [--mode run|replay] [--parallelism N] [--checkpoint-interval-ms N] [--checkpoint-dir URI]
 * [--<source> FILE …]}, files with {@code replay} only.
 */
public final class Main {
  /** Where the managed service puts what its users set as runtime properties. */
  private static final String SERVICE_FILE = "/etc/flink/application_properties.json";

  private static final Set<String> OPTIONS =
      Set.of("mode", "properties", "properties-file", "parallelism", "checkpoint-interval-ms", "checkpoint-dir");

  private Main() {}

  public static void main(String[] args) throws Exception {
    Map<String, String> options = options(args);
    boolean isReplay = isReplay(options);
    String properties =
        options.containsKey("properties") ? options.get("properties") : fromFile(options.get("properties-file"));
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    environment.setRuntimeMode(RuntimeExecutionMode.STREAMING);
    environment.getConfig().enableObjectReuse();
    environment.configure(configuration(options));
    try (ScriptEngine engine = GraphJob.openEngine(engineOf(properties), LoggerFactory.getLogger(Main.class)::warn)) {
      GraphDescription graph = GraphJob.describe(engine, properties);
      refuseUnknown(options, isReplay ? graph : null);
      if (isReplay) GraphJob.bounded(environment, graph, properties, options, engine);
      else GraphJob.live(environment, graph, properties);
      environment.execute(graph.name);
    }
  }

  /** Only what the user asked for, and what every job of ours needs; the rest is the cluster's. */
  static Configuration configuration(Map<String, String> options) {
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

  private static String fromFile(String given) throws IOException {
    Map<String, Properties> found =
        given == null
            ? KinesisAnalyticsRuntime.getApplicationProperties()
            : KinesisAnalyticsRuntime.getApplicationProperties(given);
    List<Object> groups = new ArrayList<>();
    for (Map.Entry<String, Properties> each : found.entrySet()) {
      Map<String, Object> group = new LinkedHashMap<>();
      group.put("PropertyGroupId", each.getKey());
      group.put("PropertyMap", each.getValue());
      groups.add(group);
    }
    if (!groups.isEmpty()) return Json.write(groups);
    throw new IllegalArgumentException(
        "expected property groups in "
            + (given == null ? SERVICE_FILE : given)
            + ", got "
            + (Files.exists(Path.of(given == null ? SERVICE_FILE : given)) ? "none" : "no such file")
            + ". On the managed service set the application's runtime properties; elsewhere pass --properties JSON or"
            + " --properties-file FILE.");
  }

  private static boolean isReplay(Map<String, String> options) {
    String mode = options.getOrDefault("mode", "run");
    if (mode.equals("run") || mode.equals("replay")) return mode.equals("replay");
    throw new IllegalArgumentException("--mode: expected run or replay, got " + mode);
  }

  /** {@code graph}: of a bounded run, whose sources are files. */
  private static void refuseUnknown(Map<String, String> options, GraphDescription graph) {
    Set<String> known = new TreeSet<>(OPTIONS);
    if (graph != null) for (GraphDescription.Source source : graph.sources) known.add(source.id);
    for (String name : options.keySet()) {
      if (!known.contains(name)) {
        throw new IllegalArgumentException("there is no --" + name + "; expected --" + String.join(", --", known));
      }
    }
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
