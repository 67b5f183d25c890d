package io.tenantanalytics.flinkhost.graph;

import io.tenantanalytics.flinkhost.engine.ScriptEngine;
import io.tenantanalytics.flinkhost.engine.ScriptEngines;
import io.tenantanalytics.flinkhost.operator.DecodeOperator;
import io.tenantanalytics.flinkhost.operator.Element;
import io.tenantanalytics.flinkhost.operator.ElementTypeInfo;
import io.tenantanalytics.flinkhost.operator.ScriptSettings;
import io.tenantanalytics.flinkhost.operator.StagesOperatorFactory;
import io.tenantanalytics.flinkhost.sink.ObjectSinks;
import io.tenantanalytics.flinkhost.sink.SinkRow;
import io.tenantanalytics.flinkhost.sink.SinkRowTypeInfo;
import io.tenantanalytics.flinkhost.source.FileRecordsSource;
import io.tenantanalytics.flinkhost.source.InputFile;
import io.tenantanalytics.flinkhost.source.KinesisConnector;
import io.tenantanalytics.flinkhost.source.PartitionTips;
import io.tenantanalytics.flinkhost.source.SourceRecord;
import io.tenantanalytics.flinkhost.source.SourceRecordTypeInfo;
import io.tenantanalytics.flinkhost.source.StreamSource;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.OutputTag;

/**
 * Builds the job from the graph as data:
 *
 * <pre>
 * source ─► decode ─┐
 * source ─► decode ─┴─ by key ─► stages ─┬─► object sinks (files, S3)
 *              │                   │     └─► stream sinks
 *              └── dead letters ───┴───────► object sink
 * </pre>
 *
 * <p>Each operator has a {@code uid} made from the graph's names, so that a later version finds its state. All stages have
 * one key, and are one operator (docs/decisions/0014).
 */
public final class GraphJob {
  private final StreamExecutionEnvironment environment;
  private final GraphDescription graph;
  private final String properties;
  private final OutputTag<SinkRow> deadLetters = tag("dead-letters");

  private GraphJob(StreamExecutionEnvironment environment, GraphDescription graph, String properties) {
    this.environment = environment;
    this.graph = graph;
    this.properties = properties;
  }

  /** Asks the bundle for its graph. What is wrong with the properties is told as the bundle tells it. */
  public static GraphDescription describe(ScriptEngine engine, String properties) {
    return Json.parse(engine.call("describe", properties), GraphDescription.class);
  }

  /** Streams that have no end. */
  public static void live(StreamExecutionEnvironment environment, GraphDescription graph, String properties) {
    GraphJob job = new GraphJob(environment, graph, properties);
    List<Object> inputs = new ArrayList<>();
    for (GraphDescription.Source source : graph.sources) inputs.add(input(source.stream, true, null));
    ScriptSettings settings = new ScriptSettings(graph, properties, Json.write(inputs), true);
    DataStream<Element> elements = null;
    List<DataStream<SinkRow>> letters = new ArrayList<>();
    for (int index = 0; index < graph.sources.size(); index++) {
      GraphDescription.Source source = graph.sources.get(index);
      DataStream<SourceRecord> records = KinesisConnector.source(environment, streamOf(index, graph));
      SingleOutputStreamOperator<Element> decoded =
          job.decode(records, source.id, settings, KinesisConnector.tips(source.id), letters);
      elements = elements == null ? decoded : elements.union(decoded);
    }
    job.stages(elements, settings, true, letters);
  }

  /** Files, read to their end: the sources that are read first before the others. */
  public static void bounded(
      StreamExecutionEnvironment environment,
      GraphDescription graph,
      String properties,
      Map<String, String> paths,
      ScriptEngine engine) {
    GraphJob job = new GraphJob(environment, graph, properties);
    List<Object> inputs = new ArrayList<>();
    List<InputFile> first = new ArrayList<>();
    List<InputFile> others = new ArrayList<>();
    for (int index = 0; index < graph.sources.size(); index++) {
      GraphDescription.Source source = graph.sources.get(index);
      String path = paths.get(source.id);
      if (path == null) throw new IllegalArgumentException("expected --" + source.id + " FILE: the graph has a source " + source.id);
      FileHead head = FileHead.read(path);
      Map<?, ?> line = Json.parse(engine.call("first-line", head.question(properties, index)), Map.class);
      Map<?, ?> start = (Map<?, ?>) line.get("start");
      inputs.add(input(head.baseName, false, line.get("columns")));
      InputFile file =
          new InputFile(
              index,
              path,
              head.gzip,
              head.modifiedAt,
              ((Number) start.get("offset")).longValue(),
              ((Number) start.get("line")).longValue(),
              source.maxRecordBytes);
      (source.readFirst ? first : others).add(file);
    }
    first.addAll(others);
    ScriptSettings settings = new ScriptSettings(graph, properties, Json.write(inputs), false);
    DataStream<SourceRecord> records =
        environment
            .fromSource(
                new FileRecordsSource(first), WatermarkStrategy.noWatermarks(), "files", SourceRecordTypeInfo.INSTANCE)
            .uid("files")
            .setParallelism(1);
    List<DataStream<SinkRow>> letters = new ArrayList<>();
    SingleOutputStreamOperator<Element> decoded = job.decode(records, "files", settings, null, letters);
    decoded.setParallelism(1);
    job.stages(decoded, settings, false, letters);
  }

  private static Map<String, Object> input(String name, boolean live, Object columns) {
    Map<String, Object> input = new LinkedHashMap<>();
    input.put("name", name);
    input.put("live", live);
    input.put("columns", columns);
    return input;
  }

  private SingleOutputStreamOperator<Element> decode(
      DataStream<SourceRecord> records,
      String id,
      ScriptSettings settings,
      PartitionTips.Finder tips,
      List<DataStream<SinkRow>> letters) {
    SingleOutputStreamOperator<Element> decoded =
        records
            .transform("decode " + id, ElementTypeInfo.INSTANCE, new DecodeOperator(settings, deadLetters, tips))
            .uid("decode-" + id);
    letters.add(decoded.getSideOutput(deadLetters));
    return decoded;
  }

  private void stages(
      DataStream<Element> elements, ScriptSettings settings, boolean isLive, List<DataStream<SinkRow>> letters) {
    List<OutputTag<SinkRow>> tags = graph.sinks.stream().map(sink -> tag("sink-" + sink.id)).collect(Collectors.toList());
    String name = graph.stages.stream().map(stage -> stage.id).collect(Collectors.joining(" ⇢ "));
    SingleOutputStreamOperator<SinkRow> stages =
        elements
            .keyBy(element -> element.key, Types.STRING)
            .transform(name, SinkRowTypeInfo.INSTANCE, new StagesOperatorFactory(settings, tags, deadLetters, isLive))
            .uid("stages");
    letters.add(stages.getSideOutput(deadLetters));
    for (int index = 0; index < graph.sinks.size(); index++) {
      GraphDescription.Sink sink = graph.sinks.get(index);
      DataStream<SinkRow> rows = stages.getSideOutput(tags.get(index));
      if (sink.kind.equals("objects")) {
        attach(rows, sink);
      } else if (settings.streams) {
        KinesisConnector.attach(rows, sink.id, sink.stream, sink.region, sink.endpoint);
      }
    }
    DataStream<SinkRow> all = letters.get(0);
    for (DataStream<SinkRow> other : letters.subList(1, letters.size())) all = all.union(other);
    attach(all, graph.deadLetters).setParallelism(1);
  }

  private static DataStreamSink<SinkRow> attach(DataStream<SinkRow> rows, GraphDescription.Sink sink) {
    return ObjectSinks.attach(rows, "sink-" + sink.id, sink.path, sink.extension, sink.rollBytes, sink.rollAgeMs);
  }

  private static StreamSource streamOf(int index, GraphDescription graph) {
    GraphDescription.Source source = graph.sources.get(index);
    List<String> firsts =
        graph.sources.stream().filter(each -> each.readFirst).map(each -> each.id).collect(Collectors.toList());
    return new StreamSource(
        index,
        source.id,
        source.stream,
        source.region,
        source.endpoint,
        StreamSource.InitialPosition.valueOf(source.initialPosition),
        source.initialTimestamp,
        StreamSource.Consumer.valueOf(source.consumer),
        graph.name,
        source.maxRecordBytes,
        source.readFirst,
        source.readFirst ? List.of() : firsts,
        graph.idleMs);
  }

  private static OutputTag<SinkRow> tag(String id) {
    return new OutputTag<>(id, SinkRowTypeInfo.INSTANCE);
  }

  /** The engine for questions before there is a job. */
  public static ScriptEngine openEngine(String kind, Consumer<String> warn) {
    return ScriptEngines.open(
        kind, Bundle.source(), Bundle.NAME, Duration.ofSeconds(30), 256L << 20, warn);
  }
}
