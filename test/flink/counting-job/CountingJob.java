import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Pattern;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.filesystem.StreamingFileSink;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * Sends 0, 1, 2, … and counts them by their rest modulo 32: the n-th of each must be n * 32 + rest. A number that is lost
 * or counted twice, over any restart, fails the job with "counted wrong".
 */
public class CountingJob {
  static final int KEYS = 32;

  public static void main(String[] words) throws Exception {
    var arguments = Arrays.asList(words);
    long failAt = number(arguments, "--fail-at", -1);
    if (words.length > 0 && String.join(" ", words).contains("failing.jsonl")) failAt = 100;
    if (arguments.contains("--fail-in-main")) throw new IllegalArgumentException("main was told to fail");
    var environment = StreamExecutionEnvironment.getExecutionEnvironment();
    // A replay: as many numbers as the file of jobs has lines, each a row below S3SinkPath.
    int jobs = arguments.indexOf("--jobs");
    long until = jobs == -1 ? number(arguments, "--until", Long.MAX_VALUE) : lines(arguments.get(jobs + 1));
    environment.enableCheckpointing(number(arguments, "--checkpoint-interval-ms", 200));
    var numbers =
        new DataGeneratorSource<Long>(
            value -> value,
            until,
            RateLimiterStrategy.perSecond(number(arguments, "--rate", 2000)),
            Types.LONG);
    var counted = environment
        .fromSource(numbers, WatermarkStrategy.noWatermarks(), "numbers")
        .uid("numbers")
        // One, so that the numbers of each rest come in their order.
        .setParallelism(1)
        .keyBy(value -> value % KEYS)
        .process(new Count(failAt))
        .uid("count")
        .name("count");
    if (jobs == -1) counted.sinkTo(new DiscardingSink<>()).uid("end");
    else counted.addSink(rows(String.join(" ", words))).uid("rows");
    environment.execute("counting");
  }

  static long lines(String path) throws Exception {
    try (var lines = Files.lines(Path.of(path))) {
      return lines.count();
    }
  }

  static StreamingFileSink<Long> rows(String words) {
    var path = Pattern.compile("\"S3SinkPath\":\"([^\"]+)\"").matcher(words);
    if (!path.find()) throw new IllegalArgumentException("expected S3SinkPath, got " + words);
    return StreamingFileSink.<Long>forRowFormat(
            new org.apache.flink.core.fs.Path(path.group(1)), new SimpleStringEncoder<>())
        .withRollingPolicy(OnCheckpointRollingPolicy.build())
        .withBucketAssigner(
            new BasePathBucketAssigner<>() {
              @Override
              public String getBucketId(Long value, Context context) {
                return "dt=2025-01-01";
              }
            })
        .build();
  }

  static long number(java.util.List<String> arguments, String name, long otherwise) {
    int at = arguments.indexOf(name);
    return at == -1 ? otherwise : Long.parseLong(arguments.get(at + 1));
  }

  static class Count extends KeyedProcessFunction<Long, Long, Long> {
    private final long failAt;
    private transient ValueState<Long> counts;

    Count(long failAt) {
      this.failAt = failAt;
    }

    @Override
    public void open(OpenContext context) {
      counts = getRuntimeContext().getState(new ValueStateDescriptor<>("counts", Types.LONG));
    }

    @Override
    public void processElement(Long value, Context context, Collector<Long> out) throws Exception {
      long count = counts.value() == null ? 0 : counts.value();
      if (value == failAt) throw new IllegalStateException("told to fail at " + value);
      if (value != count * KEYS + context.getCurrentKey()) {
        throw new IllegalStateException("counted wrong: " + value + " is number " + count + " of " + context.getCurrentKey());
      }
      counts.update(count + 1);
      out.collect(value);
    }
  }
}
