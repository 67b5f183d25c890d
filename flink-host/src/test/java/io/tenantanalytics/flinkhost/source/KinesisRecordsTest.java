package io.tenantanalytics.flinkhost.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.clientlibrary.types.Messages.AggregatedRecord;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.clientlibrary.types.UserRecord;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.HashKeyRange;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.Record;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.Shard;
import org.apache.flink.kinesis.shaded.com.google.protobuf.ByteString;
import org.apache.flink.streaming.connectors.kinesis.internals.publisher.RecordBatch;
import org.apache.flink.streaming.connectors.kinesis.internals.publisher.RecordPublisher;
import org.apache.flink.streaming.connectors.kinesis.internals.publisher.RecordPublisher.RecordPublisherRunResult;
import org.apache.flink.streaming.connectors.kinesis.model.SequenceNumber;
import org.apache.flink.streaming.connectors.kinesis.model.StreamShardHandle;
import org.junit.jupiter.api.Test;

/** What comes out of a shard for what is in it, with the connector's own taking apart in between. */
class KinesisRecordsTest {
  private static final String SHARD = "shardId-000000000000";
  private static final StreamShardHandle HANDLE =
      new StreamShardHandle(
          "jobs",
          new Shard()
              .withShardId(SHARD)
              .withHashKeyRange(
                  new HashKeyRange()
                      .withStartingHashKey("0")
                      .withEndingHashKey("340282366920938463463374607431768211455")));

  private final ShardTips tips = new ShardTips(System::currentTimeMillis, 0);
  private boolean mayBegin = true;
  private final SourceRecordSchema schema = new SourceRecordSchema(3, 10);

  @Test
  void aPlainRecordHasNoIndexAndThoseOfAnAggregateHaveTheirPlaceInIt() throws Exception {
    List<SourceRecord> records = read(record("1", text("plain")), record("2", aggregate("a", "b", "c")));
    assertEquals(List.of("1:-1:plain", "2:0:a", "2:1:b", "2:2:c"), described(records));
    assertEquals(3, records.get(0).source);
    assertEquals(SHARD, records.get(0).partition);
    assertEquals(1_700_000_000_123L, records.get(0).arrivalTime);
  }

  @Test
  void ofARecordBeyondTheLimitThereIsTheHeadAndTheWholeSize() throws Exception {
    SourceRecord at = read(record("1", text("0123456789"))).get(0);
    assertEquals(10, at.size);
    assertEquals(10, at.bytes.length);
    SourceRecord beyond = read(record("1", text("0123456789a"))).get(0);
    assertEquals(11, beyond.size);
    assertArrayEquals(text("0123456789"), beyond.bytes);
    SourceRecord inAggregate = read(record("1", aggregate("a", "0123456789ab"))).get(1);
    assertEquals(12, inAggregate.size);
    assertEquals(10, inAggregate.bytes.length);
  }

  @Test
  void noUserRecordIsLostForAKeyThatCannotBeLookedUp() throws Exception {
    AggregatedRecord.Builder message = message("a", "b", "c");
    message.getRecordsBuilder(1).setPartitionKeyIndex(7);
    assertEquals(List.of("1:0:a", "1:1:b", "1:2:c"), described(read(record("1", sealed(message)))));
    for (String key : List.of("no number", "-1", "340282366920938463463374607431768211456")) {
      AggregatedRecord.Builder hashed = message("a", "b").addExplicitHashKeyTable(key);
      hashed.getRecordsBuilder(1).setExplicitHashKeyIndex(0);
      assertEquals(List.of("1:0:a", "1:1:b"), described(read(record("1", sealed(hashed)))));
    }
    AggregatedRecord.Builder beyond = message("a", "b");
    beyond.getRecordsBuilder(1).setExplicitHashKeyIndex(0);
    assertEquals(List.of("1:0:a", "1:1:b"), described(read(record("1", sealed(beyond)))));
  }

  @Test
  void anAggregateOfNoneIsOneRecord() throws Exception {
    byte[] empty = sealed(AggregatedRecord.newBuilder().addPartitionKeyTable("key"));
    SourceRecord only = read(record("1", empty)).get(0);
    assertEquals(empty.length, only.size);
  }

  @Test
  void whatOnlyLooksLikeAnAggregateIsAPlainRecord() throws Exception {
    byte[] torn = aggregate("a", "b");
    torn[torn.length - 1] ^= 1;
    SourceRecord record = read(record("1", torn)).get(0);
    assertEquals(torn.length, record.size);
    assertEquals(-1, record.subSequence);
    byte[] garbage = sealed(new byte[] {(byte) 0xff, 1, 2});
    assertEquals(-1, read(record("1", garbage)).get(0).subSequence);
  }

  @Test
  void whatTheConnectorReadsIsLeftAsItIs() throws Exception {
    for (byte[] bytes : List.of(text("plain"), aggregate("a"), new byte[0])) {
      ByteBuffer data = ByteBuffer.wrap(bytes);
      assertSame(data, KplRecords.readable(data));
      assertEquals(bytes.length, data.remaining());
    }
  }

  @Test
  void aShardIsNotAtItsEndBeforeTheStreamSaidSo() throws Exception {
    tips.add(SHARD, List.of());
    tips.known();
    List<String> opened = new ArrayList<>();
    RecordPublisher complete = consumer -> RecordPublisherRunResult.COMPLETE;
    ShardPublisher publisher = publisherOf(complete, opened);
    assertEquals(RecordPublisherRunResult.INCOMPLETE, publisher.run(batch -> null));
    tips.closed(SHARD);
    assertEquals(RecordPublisherRunResult.INCOMPLETE, publisher.run(batch -> null));
    assertEquals(List.of("open after 7", "open after 7", "poll after 7"), opened);
    tips.atEnd(SHARD, List.of());
    assertEquals(RecordPublisherRunResult.COMPLETE, publisher.run(batch -> null));
    tips.discovered(tips.now());
    assertFalse(tips.partitions().containsKey(SHARD));
  }

  @Test
  void aShardIsNotOpenedBeforeItMayBegin() throws InterruptedException {
    tips.add(SHARD, List.of());
    tips.known();
    List<String> opened = new ArrayList<>();
    mayBegin = false;
    ShardPublisher publisher = publisherOf(consumer -> RecordPublisherRunResult.INCOMPLETE, opened);
    assertEquals(RecordPublisherRunResult.INCOMPLETE, publisher.run(batch -> null));
    assertEquals(List.of(), opened);
    mayBegin = true;
    assertEquals(RecordPublisherRunResult.INCOMPLETE, publisher.run(batch -> null));
    assertEquals(List.of("open after 7"), opened);
  }

  private ShardPublisher publisherOf(RecordPublisher publisher, List<String> opened) {
    return new ShardPublisher(
        SHARD,
        new SequenceNumber("7"),
        tips,
        () -> mayBegin,
        new ShardPublisher.Opener() {
          @Override
          public RecordPublisher open(SequenceNumber last) {
            opened.add("open after " + last);
            return publisher;
          }

          @Override
          public RecordPublisher poll(SequenceNumber last) {
            opened.add("poll after " + last);
            return publisher;
          }
        });
  }

  /** Through the batch that the connector makes of them, as its reader takes them from it. */
  private List<SourceRecord> read(Record... raw) throws Exception {
    tips.add(SHARD, List.of());
    for (Record each : raw) each.setData(KplRecords.readable(each.getData()));
    RecordBatch batch = new RecordBatch(List.of(raw), HANDLE, 0L);
    List<SourceRecord> records = new ArrayList<>();
    RecordPublisher once =
        consumer -> {
          consumer.accept(batch);
          return RecordPublisherRunResult.INCOMPLETE;
        };
    publisherOf(once, new ArrayList<>())
        .run(
            each -> {
              for (UserRecord record : each.getDeaggregatedRecords()) records.add(deserialized(record));
              return new SequenceNumber("1");
            });
    return records;
  }

  private SourceRecord deserialized(UserRecord record) {
    byte[] bytes = new byte[record.getData().remaining()];
    record.getData().get(bytes);
    long arrival = record.getApproximateArrivalTimestamp().getTime();
    return schema.deserialize(bytes, record.getPartitionKey(), record.getSequenceNumber(), arrival, "jobs", SHARD);
  }

  private static List<String> described(List<SourceRecord> records) {
    List<String> described = new ArrayList<>();
    for (SourceRecord each : records) {
      described.add(each.sequenceNumber + ":" + each.subSequence + ":" + new String(each.bytes, StandardCharsets.UTF_8));
    }
    return described;
  }

  private static Record record(String sequenceNumber, byte[] data) {
    return new Record()
        .withSequenceNumber(sequenceNumber)
        .withPartitionKey("key")
        .withApproximateArrivalTimestamp(new Date(1_700_000_000_123L))
        .withData(ByteBuffer.wrap(data));
  }

  private static byte[] text(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static AggregatedRecord.Builder message(String... texts) {
    AggregatedRecord.Builder message = AggregatedRecord.newBuilder().addPartitionKeyTable("key");
    for (String each : texts) message.addRecordsBuilder().setPartitionKeyIndex(0).setData(ByteString.copyFromUtf8(each));
    return message;
  }

  private static byte[] aggregate(String... texts) throws Exception {
    return sealed(message(texts));
  }

  private static byte[] sealed(AggregatedRecord.Builder message) throws Exception {
    return sealed(message.build().toByteArray());
  }

  private static byte[] sealed(byte[] message) throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    write(bytes, new byte[] {(byte) 0xf3, (byte) 0x89, (byte) 0x9a, (byte) 0xc2});
    write(bytes, message);
    write(bytes, MessageDigest.getInstance("MD5").digest(message));
    return bytes.toByteArray();
  }

  private static void write(ByteArrayOutputStream bytes, byte[] more) throws IOException {
    bytes.write(more);
  }
}
