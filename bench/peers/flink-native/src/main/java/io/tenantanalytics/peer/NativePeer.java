package io.tenantanalytics.peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.utils.ParameterTool;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.connector.base.source.hybrid.HybridSource;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.OutputFileConfig;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.DefaultRollingPolicy;
import org.apache.flink.util.OutputTag;

/**
 * The main job's pipeline as a Flink user would write it in Java: companies and then jobs from files, joined and counted per
 * company, rows as JSON in files by date. It reads
 * {@code --companies FILE --jobs FILE --output DIR --checkpoint-dir URI [--parallelism N] [--checkpoint-interval-ms N]}.
 */
public final class NativePeer {
  static final OutputTag<DeadLetter> DEAD_LETTERS = new OutputTag<>("dead-letters", TypeInformation.of(DeadLetter.class));
  private static final long OUT_OF_ORDERNESS_MS = 60_000;
  private static final MemorySize ROLL_SIZE = MemorySize.ofMebiBytes(64);
  private static final Duration ROLL_AGE = Duration.ofMinutes(5);

  private NativePeer() {}

  public static void main(String[] args) throws Exception {
    ParameterTool parameters = ParameterTool.fromArgs(args);
    Path companies = Path.of(parameters.getRequired("companies")).toAbsolutePath();
    Path jobs = Path.of(parameters.getRequired("jobs")).toAbsolutePath();
    Path output = Path.of(parameters.getRequired("output")).toAbsolutePath();

    Configuration configuration = new Configuration();
    configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, parameters.getRequired("checkpoint-dir"));
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
    env.setParallelism(parameters.getInt("parallelism", 1));
    env.enableCheckpointing(parameters.getInt("checkpoint-interval-ms", 10_000));
    env.getConfig().enableObjectReuse();
    env.getConfig().disableGenericTypes();

    // One reader: what it reads of the companies is on its way to each key before the first job is.
    HybridSource<Line> lines =
        HybridSource.builder(source(companies, true)).addSource(source(jobs, false)).build();
    SingleOutputStreamOperator<Event> parsed =
        env.fromSource(lines, WatermarkStrategy.noWatermarks(), "files", TypeInformation.of(Line.class))
            .setParallelism(1)
            .uid("files")
            .process(new Parse())
            .setParallelism(1)
            .uid("parse");
    SingleOutputStreamOperator<Event> events =
        parsed
            .assignTimestampsAndWatermarks(
                WatermarkStrategy.<Event>forGenerator(context -> new DayWatermarks(OUT_OF_ORDERNESS_MS))
                    .withTimestampAssigner((event, before) -> event.time))
            .setParallelism(1)
            .uid("watermarks");
    SingleOutputStreamOperator<Row> rows =
        events
            .keyBy(event -> event.companyID)
            .process(new Activity(
                companies.getFileName().toString(), jobs.getFileName().toString(), modificationTime(jobs)))
            .uid("activity");

    rows.sinkTo(sink(output, Row.class, row -> row.eventTime)).uid("rows");
    rows.getSideOutput(DEAD_LETTERS)
        .union(parsed.getSideOutput(DEAD_LETTERS))
        .sinkTo(sink(output.resolve("_dead-letters"), DeadLetter.class, letter -> letter.arrivalTime))
        .uid("dead-letters");
    env.execute("company-job-processing, native");
  }

  private static FileSource<Line> source(Path file, boolean ofCompanies) throws IOException {
    LineFormat format = new LineFormat(ofCompanies, file.getFileName().toString(), modificationTime(file));
    return FileSource.forRecordStreamFormat(format, new org.apache.flink.core.fs.Path(file.toUri())).build();
  }

  private static long modificationTime(Path file) throws IOException {
    return Files.getLastModifiedTime(file).toMillis();
  }

  private static <T> FileSink<T> sink(Path folder, Class<T> type, DayBuckets.TimeOf<T> timeOf) {
    return FileSink.forRowFormat(new org.apache.flink.core.fs.Path(folder.toUri()), new JsonEncoder<>(type))
        .withBucketAssigner(new DayBuckets<>(timeOf))
        .withRollingPolicy(
            DefaultRollingPolicy.builder()
                .withMaxPartSize(ROLL_SIZE)
                .withRolloverInterval(ROLL_AGE)
                .withInactivityInterval(Duration.ofMillis(Long.MAX_VALUE))
                .build())
        .withOutputFileConfig(OutputFileConfig.builder().withPartPrefix("part").withPartSuffix(".jsonl").build())
        .build();
  }
}
