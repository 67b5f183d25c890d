package io.tenantanalytics.flinkhost.source;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.HashKeyRange;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.Shard;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.streaming.api.functions.source.SourceFunction.SourceContext;
import org.apache.flink.streaming.connectors.kinesis.KinesisShardAssigner;
import org.apache.flink.streaming.connectors.kinesis.internals.KinesisDataFetcher;
import org.apache.flink.streaming.connectors.kinesis.internals.publisher.RecordPublisher;
import org.apache.flink.streaming.connectors.kinesis.internals.publisher.polling.PollingRecordPublisherFactory;
import org.apache.flink.streaming.connectors.kinesis.model.KinesisStreamShardState;
import org.apache.flink.streaming.connectors.kinesis.model.SentinelSequenceNumber;
import org.apache.flink.streaming.connectors.kinesis.model.SequenceNumber;
import org.apache.flink.streaming.connectors.kinesis.model.StreamShardHandle;
import org.apache.flink.streaming.connectors.kinesis.proxy.KinesisProxyV2Factory;
import org.apache.flink.streaming.connectors.kinesis.util.AWSUtil;

/** The connector's reader of all shards of one subtask, which tells of them ({@link ShardTips}). */
@SuppressWarnings("deprecation")
final class ShardFetcher extends KinesisDataFetcher<SourceRecord> {
  private static final HashKeyRange ALL_KEYS =
      new HashKeyRange().withStartingHashKey("0").withEndingHashKey("340282366920938463463374607431768211455");

  private final ShardTips tips;
  private final BooleanSupplier mayBegin;

  ShardFetcher(
      List<String> streams,
      SourceContext<SourceRecord> context,
      RuntimeContext runtimeContext,
      Properties properties,
      SourceRecordSchema schema,
      KinesisShardAssigner assigner,
      ShardTips tips,
      BooleanSupplier mayBegin) {
    super(
        streams,
        context,
        context.getCheckpointLock(),
        runtimeContext,
        properties,
        schema,
        assigner,
        null,
        null,
        new AtomicReference<>(),
        new ArrayList<>(),
        createInitialSubscribedStreamsToLastDiscoveredShardsState(streams),
        each -> new ShardProxy(each, tips),
        each -> new ShardSubscriptions(KinesisProxyV2Factory.createKinesisProxyAsyncV2(each), tips));
    this.tips = tips;
    this.mayBegin = mayBegin;
  }

  @Override
  public int registerNewSubscribedShardState(KinesisStreamShardState state) {
    SequenceNumber last = state.getLastProcessedSequenceNum();
    if (!last.equals(SentinelSequenceNumber.SENTINEL_SHARD_ENDING_SEQUENCE_NUM.get())) add(state.getStreamShardHandle());
    return super.registerNewSubscribedShardState(state);
  }

  /** All shards to begin with have been registered by now. */
  @Override
  public void runFetcher() throws Exception {
    tips.known();
    super.runFetcher();
  }

  @Override
  public List<StreamShardHandle> discoverNewShardsToSubscribe() throws InterruptedException {
    long begunAt = tips.now();
    List<StreamShardHandle> added = super.discoverNewShardsToSubscribe();
    // The first listing may have shards that a restored state knows to have ended.
    if (!tips.isKnown()) return added;
    // Before their parents are let go.
    added.forEach(this::add);
    tips.discovered(begunAt);
    return added;
  }

  private void add(StreamShardHandle handle) {
    Shard shard = handle.getShard();
    List<String> parents =
        Stream.of(shard.getParentShardId(), shard.getAdjacentParentShardId())
            .filter(Objects::nonNull)
            .collect(Collectors.toList());
    tips.add(shard.getShardId(), parents);
  }

  /**
   * The connector leaves out an aggregate, whole and without a word, when a key in it is of another shard; so each shard is
   * said to have all keys (docs/decisions/0009-kpl-records-are-not-filtered.md).
   */
  @Override
  protected RecordPublisher createRecordPublisher(
      SequenceNumber start, Properties properties, MetricGroup metrics, StreamShardHandle handle) {
    Shard shard = handle.getShard().clone().withHashKeyRange(ALL_KEYS);
    StreamShardHandle ofAllKeys = new StreamShardHandle(handle.getStreamName(), shard);
    return new ShardPublisher(
        shard.getShardId(),
        start,
        tips,
        mayBegin,
        new ShardPublisher.Opener() {
          @Override
          public RecordPublisher open(SequenceNumber last) throws InterruptedException {
            return ShardFetcher.super.createRecordPublisher(last, properties, metrics, ofAllKeys);
          }

          @Override
          public RecordPublisher poll(SequenceNumber last) throws InterruptedException {
            return new PollingRecordPublisherFactory(each -> new ShardProxy(each, tips))
                .create(AWSUtil.getStartingPosition(last, properties), properties, metrics, ofAllKeys);
          }
        });
  }

  @Override
  public void shutdownFetcher() {
    tips.stop();
    super.shutdownFetcher();
  }

  /** It is there for the next attempt: registering it anew takes up to a minute. */
  @Override
  protected void deregisterStreamConsumer() {}
}
