package io.tenantanalytics.flinkhost.source;

import io.tenantanalytics.flinkhost.sink.SinkRow;
import io.tenantanalytics.flinkhost.sink.SinkRowTypeInfo;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * A job for tests, run by test/flink/kinesis.flink.test.ts: what it reads and the tips it sees go to stdout as lines of JSON, each
 * record is also sent to another stream. Arguments: {@code name=value …}. A line on stdin is the folder of a savepoint to
 * stop with.
 */
public final class KinesisProbe {
  private KinesisProbe() {}

  public static void main(String[] args) throws Exception {
    Map<String, String> options = new HashMap<>();
    for (String arg : args) options.put(arg.substring(0, arg.indexOf('=')), arg.substring(arg.indexOf('=') + 1));
    Configuration configuration = new Configuration();
    configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
    configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 3);
    configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(100));
    if (options.containsKey("from")) configuration.set(StateRecoveryOptions.SAVEPOINT_PATH, options.get("from"));
    int parallelism = Integer.parseInt(options.getOrDefault("parallelism", "1"));
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration);
    environment.enableCheckpointing(Long.parseLong(options.getOrDefault("checkpointMs", "1000")));
    StreamSource source =
        new StreamSource(
            1,
            "jobs",
            options.get("stream"),
            "us-west-2",
            options.get("endpoint"),
            StreamSource.InitialPosition.valueOf(options.getOrDefault("position", "TRIM_HORIZON")),
            Long.parseLong(options.getOrDefault("timestamp", "0")),
            StreamSource.Consumer.valueOf(options.getOrDefault("consumer", "POLLING")),
            "probe of " + options.get("stream"),
            Integer.parseInt(options.getOrDefault("maxRecordBytes", "1000")),
            false,
            List.of(),
            0);
    DataStream<SinkRow> rows =
        KinesisConnector.source(environment, source)
            .transform("probe", SinkRowTypeInfo.INSTANCE, new Probe(options))
            .uid("probe");
    KinesisConnector.attach(rows, "out", options.get("sink"), "us-west-2", options.get("endpoint"));
    JobClient job = environment.executeAsync("probe");
    job.getJobExecutionResult()
        .whenComplete(
            (result, error) -> {
              if (error != null) tell("{\"kind\":\"failed\",\"error\":" + quoted(String.valueOf(error.getCause())) + "}");
              Runtime.getRuntime().halt(error == null ? 0 : 1);
            });
    BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String folder = orders.readLine();
    // The one who started it is gone, or wants no savepoint.
    if (folder == null) Runtime.getRuntime().halt(0);
    String path = job.stopWithSavepoint(false, folder, SavepointFormatType.CANONICAL).get();
    tell("{\"kind\":\"savepoint\",\"path\":" + quoted(path) + "}");
  }

  private static void tell(String line) {
    synchronized (System.out) {
      System.out.println(line);
      System.out.flush();
    }
  }

  private static String quoted(String text) {
    return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}", " ") + "\"";
  }

  static final class Probe extends AbstractStreamOperator<SinkRow> implements OneInputStreamOperator<SourceRecord, SinkRow> {
    private static final long serialVersionUID = 1L;
    private static final long TIPS_MS = 100;
    private static final AtomicBoolean HAS_FAILED = new AtomicBoolean();
    private final HashMap<String, String> options;
    private transient PartitionTips tips;
    private transient int subtask;

    Probe(Map<String, String> options) {
      this.options = new HashMap<>(options);
      chainingStrategy = ChainingStrategy.ALWAYS;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
      super.initializeState(context);
      tell("{\"kind\":\"started\",\"restored\":" + context.isRestored() + "}");
    }

    @Override
    public void open() throws Exception {
      super.open();
      subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
      tips = KinesisConnector.tips("jobs").find(getContainingTask().getEnvironment().getJobID(), subtask);
      tellTips(0);
    }

    private void tellTips(long ignored) {
      long now = getProcessingTimeService().getCurrentProcessingTime();
      StringBuilder line = new StringBuilder("{\"kind\":\"tips\",\"subtask\":" + subtask + ",\"known\":" + tips.isKnown() + ",\"shards\":{");
      tips.partitions()
          .forEach(
              (shardId, tip) -> {
                if (line.charAt(line.length() - 1) != '{') line.append(',');
                long emptyMs = tip.emptySince < 0 ? -1 : now - tip.emptySince;
                line.append(quoted(shardId)).append(":{\"emptyMs\":" + emptyMs + ",\"behindMs\":" + tip.millisBehindLatest + "}");
              });
      tell(line + "}}");
      getProcessingTimeService().registerTimer(now + TIPS_MS, this::tellTips);
    }

    @Override
    public void processElement(StreamRecord<SourceRecord> element) throws Exception {
      SourceRecord record = element.getValue();
      String text = new String(record.bytes, StandardCharsets.UTF_8);
      if (text.equals(options.get("failAt")) && HAS_FAILED.compareAndSet(false, true)) {
        throw new IllegalStateException("a failure that the test wants");
      }
      if (options.containsKey("slowMs")) Thread.sleep(Long.parseLong(options.get("slowMs")));
      tell("{\"kind\":\"record\",\"subtask\":" + subtask + ",\"source\":" + record.source
          + ",\"shard\":" + quoted(record.partition) + ",\"sequenceNumber\":" + quoted(record.sequenceNumber)
          + ",\"index\":" + record.subSequence + ",\"arrival\":" + record.arrivalTime
          + ",\"size\":" + record.size + ",\"text\":" + quoted(text) + "}");
      output.collect(new StreamRecord<>(new SinkRow("key-" + text.length(), record.bytes)));
    }
  }
}
