package io.tenantanalytics.flinkhost.source;

import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.runtime.taskexecutor.GlobalAggregateManager;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;
import org.apache.flink.streaming.connectors.kinesis.FlinkKinesisConsumer;
import org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants;
import org.apache.flink.streaming.connectors.kinesis.internals.KinesisDataFetcher;
import org.apache.flink.streaming.connectors.kinesis.serialization.KinesisDeserializationSchema;

/**
 * The connector's source, whose tips can be found from the same task ({@link KinesisConnector#tips}).
 *
 * <p>Where to begin is a time in the job graph, and in state from the first checkpoint on: a shard without a record so far is
 * still to be read from there, also by a job that was submitted anew, whose own time is later.
 */
@SuppressWarnings("deprecation")
final class ShardsSource extends FlinkKinesisConsumer<SourceRecord> {
  private static final long serialVersionUID = 1L;

  private final String sourceId;
  private final SourceRecordSchema schema;
  private final boolean isFirst;
  private final ArrayList<String> after;
  private final long afterMs;

  /** Epoch milliseconds; null when the stream is read from its beginning. */
  private Long start;

  private final long discoveryMs;

  private transient ListState<Long> starts;
  private transient ShardTips tips;

  ShardsSource(StreamSource source, SourceRecordSchema schema, Long start, long discoveryMs, Properties properties) {
    super(source.stream, schema, properties);
    this.sourceId = source.id;
    this.schema = schema;
    this.isFirst = source.isFirst;
    this.after = new ArrayList<>(source.after);
    this.afterMs = source.afterMs;
    this.start = start;
    this.discoveryMs = discoveryMs;
  }

  @Override
  public void initializeState(FunctionInitializationContext context) throws Exception {
    super.initializeState(context);
    // Each subtask tells it, and each is told: the shards of one may be another's after a restore.
    starts = context.getOperatorStateStore().getUnionListState(new ListStateDescriptor<>("start", Types.LONG));
    if (!context.isRestored()) return;
    start = null;
    for (long each : starts.get()) start = start == null ? each : Math.min(start, each);
  }

  @Override
  public void snapshotState(FunctionSnapshotContext context) throws Exception {
    super.snapshotState(context);
    starts.update(start == null ? List.of() : List.of(start));
  }

  @Override
  protected KinesisDataFetcher<SourceRecord> createFetcher(
      List<String> streams,
      SourceContext<SourceRecord> context,
      RuntimeContext runtime,
      Properties properties,
      KinesisDeserializationSchema<SourceRecord> ignored) {
    Properties own = new Properties();
    own.putAll(properties);
    if (start != null) own.setProperty(ConsumerConfigConstants.STREAM_INITIAL_TIMESTAMP, KinesisSettings.timestamp(start));
    int subtasks = runtime.getTaskInfo().getNumberOfParallelSubtasks();
    int subtask = runtime.getTaskInfo().getIndexOfThisSubtask();
    ReadFirst readFirst = readFirst(runtime);
    tips = new ShardTips(System::currentTimeMillis, subtasks == 1 ? 0 : 2 * discoveryMs);
    if (isFirst) tips.onTip(() -> readFirst.atTip(sourceId, subtask, subtasks));
    KinesisDataFetcher<SourceRecord> fetcher =
        new ShardFetcher(
            streams, context, runtime, own, schema, getShardAssigner(), tips, () -> readFirst.mayBegin(after));
    LiveTips.put(LiveTips.key(runtime.getJobInfo().getJobId(), sourceId, subtask), tips);
    return fetcher;
  }

  private ReadFirst readFirst(RuntimeContext runtime) {
    GlobalAggregateManager jobManager = ((StreamingRuntimeContext) runtime).getGlobalAggregateManager();
    return new ReadFirst(
        jobManager::updateGlobalAggregate,
        System::currentTimeMillis,
        runtime.getTaskInfo().getAttemptNumber(),
        afterMs);
  }

  @Override
  public void close() throws Exception {
    if (tips != null) LiveTips.remove(tips);
    super.close();
  }
}
