package io.tenantanalytics.flinkhost.source;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileRecordsJobTest {
  @TempDir Path folder;

  @Test
  void aJobThatFailsAndGoesOnCountsEachLineOnce() throws Exception {
    StringBuilder text = new StringBuilder();
    for (int line = 1; line <= 60_000; line++) text.append("line ").append(line).append('\n');
    List<InputFile> files = new ArrayList<>();
    for (int file = 0; file < 2; file++) {
      Path path = Files.writeString(folder.resolve("file" + file), text);
      files.add(new InputFile(file, path.toString(), false, 0, 0, 0, 100));
    }
    Configuration configuration = new Configuration();
    configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
    configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 3);
    StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(2, configuration);
    env.enableCheckpointing(20);
    Counting.failures.set(0);
    Counting.total.set(0);
    env.fromSource(new FileRecordsSource(files), WatermarkStrategy.noWatermarks(), "files")
        .setParallelism(1)
        .uid("files")
        .map(new Counting())
        .setParallelism(1)
        .sinkTo(new DiscardingSink<>());
    env.execute();
    assertEquals(2, Counting.failures.get());
    assertEquals(120_000, Counting.total.get());
  }

  /** Fails in the first file and in the second, each time after a checkpoint with records in it. */
  private static final class Counting implements MapFunction<SourceRecord, Long>, CheckpointedFunction, CheckpointListener {
    private static final long serialVersionUID = 1L;
    static final AtomicInteger failures = new AtomicInteger();
    static final AtomicInteger total = new AtomicInteger();
    private transient ListState<Long> state;
    private long count;
    private boolean isCheckpointed;

    @Override
    public Long map(SourceRecord record) throws InterruptedException {
      boolean isLateInFile = Long.parseLong(record.sequenceNumber) > 30_000;
      if (isCheckpointed && isLateInFile && failures.get() == record.source) {
        failures.incrementAndGet();
        throw new IllegalStateException("a failure that the test wants");
      }
      // Until there was one, slowly: it comes by the clock.
      if (!isCheckpointed && failures.get() == record.source) {
        if (isLateInFile) Thread.sleep(2);
        else if (count % 100 == 0) Thread.sleep(1);
      }
      count++;
      total.set((int) count);
      return count;
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
      state.update(Collections.singletonList(count));
    }

    @Override
    public void notifyCheckpointComplete(long checkpointID) {
      isCheckpointed = count > 0;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
      state = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("count", Long.class));
      for (long restored : state.get()) count += restored;
    }
  }
}
