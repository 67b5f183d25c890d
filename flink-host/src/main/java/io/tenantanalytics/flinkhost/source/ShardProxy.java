package io.tenantanalytics.flinkhost.source;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.flink.kinesis.shaded.com.amazonaws.AmazonServiceException;
import org.apache.flink.kinesis.shaded.com.amazonaws.SdkClientException;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.ChildShard;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.GetRecordsResult;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.Record;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.Shard;
import org.apache.flink.streaming.connectors.kinesis.model.StreamShardHandle;
import org.apache.flink.streaming.connectors.kinesis.proxy.GetShardListResult;
import org.apache.flink.streaming.connectors.kinesis.proxy.KinesisProxy;
import org.apache.flink.util.ExceptionUtils;

/**
 * The connector's calls to Kinesis: one that lists shards, and one for each shard that is polled.
 *
 * <p>The connector ends the job when a shard was throttled four times in a row. Here it is tried until it succeeds or the job
 * ends: the watermark waits for that shard, and the others go on.
 */
final class ShardProxy extends KinesisProxy {
  private final ShardTips tips;

  /** Known once a place in it was asked for, which is before the first read. */
  private String shardId;

  private boolean mayPass;

  ShardProxy(Properties properties, ShardTips tips) {
    super(properties);
    this.tips = tips;
  }

  @Override
  public GetShardListResult getShardList(Map<String, String> lastSeen) throws InterruptedException {
    GetShardListResult result = super.getShardList(lastSeen);
    for (String stream : result.getStreamsWithRetrievedShards()) {
      for (StreamShardHandle each : result.getRetrievedShardListOfStream(stream)) listed(each.getShard());
    }
    return result;
  }

  private void listed(Shard shard) {
    tips.listed(shard.getShardId());
    if (shard.getSequenceNumberRange().getEndingSequenceNumber() != null) tips.closed(shard.getShardId());
    // Only new shards are listed; those that they come from are closed.
    if (shard.getParentShardId() != null) tips.closed(shard.getParentShardId());
    if (shard.getAdjacentParentShardId() != null) tips.closed(shard.getAdjacentParentShardId());
  }

  @Override
  public String getShardIterator(StreamShardHandle shard, String type, Object marker) throws InterruptedException {
    shardId = shard.getShard().getShardId();
    return super.getShardIterator(shard, type, marker);
  }

  @Override
  public GetRecordsResult getRecords(String iterator, int limit) throws InterruptedException {
    for (;;) {
      mayPass = false;
      try {
        GetRecordsResult result = super.getRecords(iterator, limit);
        for (Record record : result.getRecords()) record.setData(KplRecords.readable(record.getData()));
        tips.read(shardId, result.getRecords().size(), result.getMillisBehindLatest());
        List<String> children = ids(result.getChildShards());
        boolean isEnd = result.getNextShardIterator() == null && (!children.isEmpty() || tips.isClosed(shardId));
        if (isEnd) tips.atEnd(shardId, children);
        return result;
      } catch (RuntimeException error) {
        if (!mayPass) throw error;
        if (tips.isStopped()) return new GetRecordsResult().withRecords(List.of()).withNextShardIterator(iterator);
      }
    }
  }

  private static List<String> ids(List<ChildShard> children) {
    return children == null ? List.of() : children.stream().map(ChildShard::getShardId).collect(Collectors.toList());
  }

  /** Asked after each failure, before the next try. */
  @Override
  protected boolean isRecoverableSdkClientException(SdkClientException error) {
    boolean isOfNetwork =
        !(error instanceof AmazonServiceException) && ExceptionUtils.findThrowable(error, IOException.class).isPresent();
    mayPass = isOfNetwork || super.isRecoverableSdkClientException(error);
    if (mayPass && shardId != null) tips.failed(shardId);
    return mayPass;
  }
}
