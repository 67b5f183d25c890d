package io.tenantanalytics.flinkhost.source;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.apache.flink.kinesis.shaded.software.amazon.awssdk.core.SdkBytes;
import org.apache.flink.kinesis.shaded.software.amazon.awssdk.core.async.SdkPublisher;
import org.apache.flink.kinesis.shaded.software.amazon.awssdk.services.kinesis.model.ChildShard;
import org.apache.flink.kinesis.shaded.software.amazon.awssdk.services.kinesis.model.Record;
import org.apache.flink.kinesis.shaded.software.amazon.awssdk.services.kinesis.model.SubscribeToShardEvent;
import org.apache.flink.kinesis.shaded.software.amazon.awssdk.services.kinesis.model.SubscribeToShardEventStream;
import org.apache.flink.kinesis.shaded.software.amazon.awssdk.services.kinesis.model.SubscribeToShardRequest;
import org.apache.flink.kinesis.shaded.software.amazon.awssdk.services.kinesis.model.SubscribeToShardResponse;
import org.apache.flink.kinesis.shaded.software.amazon.awssdk.services.kinesis.model.SubscribeToShardResponseHandler;
import org.apache.flink.streaming.connectors.kinesis.proxy.KinesisProxyAsyncV2Interface;

/**
 * The connector's subscriptions (EFO). It passes on only events with records: those without, which tell that a shard is at
 * its tip, are seen here alone.
 *
 * <p>A local Kinesis does not tell of the end of a shard: once the stream lists it as closed, and nothing comes any more, the
 * subscription ends here.
 */
final class ShardSubscriptions implements KinesisProxyAsyncV2Interface {
  private final KinesisProxyAsyncV2Interface proxy;
  private final ShardTips tips;

  ShardSubscriptions(KinesisProxyAsyncV2Interface proxy, ShardTips tips) {
    this.proxy = proxy;
    this.tips = tips;
  }

  @Override
  public CompletableFuture<Void> subscribeToShard(
      SubscribeToShardRequest request, SubscribeToShardResponseHandler handler) {
    String shardId = request.shardId();
    return proxy.subscribeToShard(request, new Observed(shardId, tips.subscribed(shardId), handler));
  }

  @Override
  public void close() {
    proxy.close();
  }

  private final class Observed implements SubscribeToShardResponseHandler {
    private final String shardId;
    private final Object subscription;
    private final SubscribeToShardResponseHandler handler;

    private Observed(String shardId, Object subscription, SubscribeToShardResponseHandler handler) {
      this.shardId = shardId;
      this.subscription = subscription;
      this.handler = handler;
    }

    @Override
    public void responseReceived(SubscribeToShardResponse response) {
      handler.responseReceived(response);
    }

    @Override
    public void onEventStream(SdkPublisher<SubscribeToShardEventStream> events) {
      handler.onEventStream(events.map(this::observe));
    }

    @Override
    public void exceptionOccurred(Throwable error) {
      tips.failed(shardId);
      handler.exceptionOccurred(error);
    }

    @Override
    public void complete() {
      handler.complete();
    }

    private SubscribeToShardEventStream observe(SubscribeToShardEventStream each) {
      if (!(each instanceof SubscribeToShardEvent)) return each;
      SubscribeToShardEvent event = (SubscribeToShardEvent) each;
      tips.arrived(shardId, subscription, event.records().size(), event.millisBehindLatest());
      boolean isEnd = event.continuationSequenceNumber() == null && !event.childShards().isEmpty();
      if (isEnd) tips.atEnd(shardId, event.childShards().stream().map(ChildShard::shardId).collect(Collectors.toList()));
      // The connector then takes it for the end, and the rest is polled.
      boolean isOver = event.records().isEmpty() && tips.isClosed(shardId);
      return isOver || !isReadable(event) ? changed(event, isOver) : event;
    }
  }

  private static boolean isReadable(SubscribeToShardEvent event) {
    for (Record record : event.records()) {
      ByteBuffer data = record.data().asByteBuffer();
      if (KplRecords.readable(data) != data) return false;
    }
    return true;
  }

  private static SubscribeToShardEventStream changed(SubscribeToShardEvent event, boolean isOver) {
    List<Record> records = new ArrayList<>(event.records().size());
    for (Record record : event.records()) {
      ByteBuffer data = KplRecords.readable(record.data().asByteBuffer());
      records.add(record.toBuilder().data(SdkBytes.fromByteBuffer(data)).build());
    }
    return SubscribeToShardEventStream.subscribeToShardEventBuilder()
        .records(records)
        .continuationSequenceNumber(isOver ? null : event.continuationSequenceNumber())
        .millisBehindLatest(event.millisBehindLatest())
        .childShards(event.childShards())
        .build();
  }
}
