package io.tenantanalytics.flinkhost.source;

import org.apache.flink.streaming.connectors.kinesis.internals.publisher.RecordPublisher;
import org.apache.flink.streaming.connectors.kinesis.model.SequenceNumber;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads one shard as the connector does, once it is its turn.
 *
 * <p>Invariant: a shard is at its end only when the stream said so. The connector also takes a consumer that somebody
 * deregistered for the end of the shard, and would never read it again.
 */
final class ShardPublisher implements RecordPublisher {
  private static final Logger LOG = LoggerFactory.getLogger(ShardPublisher.class);

  interface Opener {
    RecordPublisher open() throws InterruptedException;
  }

  private final String shardId;
  private final ShardTips tips;
  private final Opener opener;
  private RecordPublisher publisher;

  /** @param opener called when it is the shard's turn: a place in a stream is good for five minutes only */
  ShardPublisher(String shardId, ShardTips tips, Opener opener) {
    this.shardId = shardId;
    this.tips = tips;
    this.opener = opener;
  }

  @Override
  public RecordPublisherRunResult run(RecordBatchConsumer consumer) throws InterruptedException {
    if (publisher == null) {
      if (!tips.awaitTurn(shardId)) return RecordPublisherRunResult.INCOMPLETE;
      publisher = opener.open();
    }
    RecordPublisherRunResult result =
        publisher.run(
            batch -> {
              SourceRecordSchema.number(batch.getDeaggregatedRecords());
              SequenceNumber last = consumer.accept(batch);
              tips.delivered(shardId);
              return last;
            });
    if (result != RecordPublisherRunResult.COMPLETE) return result;
    if (!tips.isAtEnd(shardId)) {
      LOG.warn("Reading {} ended before the stream said that the shard did. Trying again.", shardId);
      return RecordPublisherRunResult.INCOMPLETE;
    }
    tips.ended(shardId);
    return result;
  }
}
