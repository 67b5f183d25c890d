package io.tenantanalytics.flinkhost.source;

import java.util.function.BooleanSupplier;
import org.apache.flink.streaming.connectors.kinesis.internals.publisher.RecordPublisher;
import org.apache.flink.streaming.connectors.kinesis.model.SequenceNumber;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads one shard as the connector does, once it is its turn.
 *
 * <p>Invariant: a shard is at its end only when the stream said so, by naming its children, or by listing it as closed before
 * a read that had no next one. The connector alone also takes a consumer that somebody deregistered for the end of the shard,
 * and would never read it again.
 */
final class ShardPublisher implements RecordPublisher {
  private static final Logger LOG = LoggerFactory.getLogger(ShardPublisher.class);
  private static final long BEGIN_PAUSE_MS = 50;

  /** Called when it is the shard's turn: a place in a stream is good for five minutes only. */
  interface Opener {
    RecordPublisher open(SequenceNumber last) throws InterruptedException;

    /** Also where shards are subscribed to: to read what a subscription did not bring. */
    RecordPublisher poll(SequenceNumber last) throws InterruptedException;
  }

  private final String shardId;
  private final ShardTips tips;
  private final BooleanSupplier mayBegin;
  private final Opener opener;
  private SequenceNumber last;
  private RecordPublisher publisher;

  /**
   * @param start the record read last, or where to begin
   * @param mayBegin asked again and again until it may
   */
  ShardPublisher(String shardId, SequenceNumber start, ShardTips tips, BooleanSupplier mayBegin, Opener opener) {
    this.shardId = shardId;
    this.last = start;
    this.tips = tips;
    this.mayBegin = mayBegin;
    this.opener = opener;
  }

  @Override
  public RecordPublisherRunResult run(RecordBatchConsumer consumer) throws InterruptedException {
    if (publisher == null) {
      if (!mayBegin.getAsBoolean()) {
        // The reader asks again unless it is to end.
        Thread.sleep(BEGIN_PAUSE_MS);
        return RecordPublisherRunResult.INCOMPLETE;
      }
      if (!tips.awaitTurn(shardId)) return RecordPublisherRunResult.INCOMPLETE;
      publisher = opener.open(last);
    }
    RecordPublisherRunResult result =
        publisher.run(
            batch -> {
              SourceRecordSchema.number(batch.getDeaggregatedRecords());
              last = consumer.accept(batch);
              tips.delivered(shardId);
              return last;
            });
    if (result != RecordPublisherRunResult.COMPLETE) return result;
    if (tips.isAtEnd(shardId)) {
      tips.ended(shardId);
      return result;
    }
    if (tips.isClosed(shardId)) {
      LOG.info("{} is closed. What may be left of it is polled.", shardId);
      publisher = opener.poll(last);
    } else {
      LOG.warn("Reading {} ended, but the stream does not say that the shard did. Trying again.", shardId);
      publisher = opener.open(last);
    }
    return RecordPublisherRunResult.INCOMPLETE;
  }
}
