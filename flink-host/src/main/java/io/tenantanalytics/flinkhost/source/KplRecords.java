package io.tenantanalytics.flinkhost.source;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.clientlibrary.types.Messages.AggregatedRecord;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.clientlibrary.types.Messages.Record;
import org.apache.flink.kinesis.shaded.com.google.protobuf.ByteString;
import org.apache.flink.kinesis.shaded.com.google.protobuf.InvalidProtocolBufferException;

/**
 * Aggregates of the Kinesis Producer Library, of which the connector would lose user records without a word: it leaves out
 * all from the first one whose key it cannot look up, and has nothing to give of one without any. Both are made
 * readable here, as {@code src/connectors/kinesis/deaggregate.ts} reads them: keys do not matter, and an aggregate of none is
 * one record (docs/decisions/0009-kpl-records-are-not-filtered.md).
 */
final class KplRecords {
  private static final byte[] MAGIC = {(byte) 0xf3, (byte) 0x89, (byte) 0x9a, (byte) 0xc2};
  private static final int DIGEST_BYTES = 16;
  private static final BigInteger HASH_KEYS = BigInteger.ONE.shiftLeft(128);

  private KplRecords() {}

  /** The same buffer when the connector reads all of it. Its position and limit stay as they are. */
  static ByteBuffer readable(ByteBuffer data) {
    if (!hasMagic(data)) return data;
    byte[] bytes = new byte[data.remaining()];
    data.duplicate().get(bytes);
    byte[] message = Arrays.copyOfRange(bytes, MAGIC.length, bytes.length - DIGEST_BYTES);
    byte[] digest = Arrays.copyOfRange(bytes, bytes.length - DIGEST_BYTES, bytes.length);
    if (!Arrays.equals(md5(message), digest)) return data;
    AggregatedRecord aggregate;
    try {
      aggregate = AggregatedRecord.parseFrom(message);
    } catch (InvalidProtocolBufferException error) {
      return data; // a plain record for the connector, too
    }
    if (aggregate.getRecordsCount() > 0 && hasAllKeys(aggregate)) return data;
    AggregatedRecord.Builder readable = AggregatedRecord.newBuilder().addPartitionKeyTable("-");
    if (aggregate.getRecordsCount() == 0) readable.addRecords(user(ByteString.copyFrom(bytes)));
    for (Record record : aggregate.getRecordsList()) readable.addRecords(user(record.getData()));
    return sealed(readable.build().toByteArray());
  }

  private static boolean hasMagic(ByteBuffer data) {
    if (data.remaining() <= MAGIC.length + DIGEST_BYTES) return false;
    for (int at = 0; at < MAGIC.length; at++) if (data.get(data.position() + at) != MAGIC[at]) return false;
    return true;
  }

  private static boolean hasAllKeys(AggregatedRecord aggregate) {
    for (Record record : aggregate.getRecordsList()) {
      if (!isIn(record.getPartitionKeyIndex(), aggregate.getPartitionKeyTableCount())) return false;
      if (!record.hasExplicitHashKeyIndex()) continue;
      if (!isIn(record.getExplicitHashKeyIndex(), aggregate.getExplicitHashKeyTableCount())) return false;
      if (!isHashKey(aggregate.getExplicitHashKeyTable((int) record.getExplicitHashKeyIndex()))) return false;
    }
    return true;
  }

  private static boolean isIn(long index, int size) {
    return index >= 0 && index < size;
  }

  private static boolean isHashKey(String text) {
    try {
      BigInteger key = new BigInteger(text);
      return key.signum() >= 0 && key.compareTo(HASH_KEYS) < 0;
    } catch (NumberFormatException error) {
      return false;
    }
  }

  private static Record user(ByteString data) {
    return Record.newBuilder().setPartitionKeyIndex(0).setData(data).build();
  }

  private static ByteBuffer sealed(byte[] message) {
    ByteBuffer sealed = ByteBuffer.allocate(MAGIC.length + message.length + DIGEST_BYTES);
    sealed.put(MAGIC).put(message).put(md5(message)).flip();
    return sealed;
  }

  private static byte[] md5(byte[] message) {
    try {
      return MessageDigest.getInstance("MD5").digest(message);
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException("every Java runtime has MD5", error);
    }
  }
}
