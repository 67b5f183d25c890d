package io.tenantanalytics.flinkhost.source;

import java.util.Arrays;
import java.util.List;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.clientlibrary.types.UserRecord;
import org.apache.flink.streaming.connectors.kinesis.serialization.KinesisDeserializationSchema;

/**
 * Records as they are. The connector tells a schema everything of a record but its place in an aggregate; nobody behind the
 * source looks at partition keys, so {@link #number} puts that place where the key was.
 */
final class SourceRecordSchema implements KinesisDeserializationSchema<SourceRecord> {
  private static final long serialVersionUID = 1L;
  private static final String NOT_AGGREGATED = "-1";

  private final int source;
  private final int maxRecordBytes;

  SourceRecordSchema(int source, int maxRecordBytes) {
    this.source = source;
    this.maxRecordBytes = maxRecordBytes;
  }

  static void number(List<UserRecord> records) {
    for (UserRecord record : records) {
      record.setPartitionKey(record.isAggregated() ? Long.toString(record.getSubSequenceNumber()) : NOT_AGGREGATED);
    }
  }

  @Override
  public SourceRecord deserialize(
      byte[] bytes, String place, String sequenceNumber, long arrivalTime, String stream, String shardId) {
    byte[] head = bytes.length > maxRecordBytes ? Arrays.copyOf(bytes, maxRecordBytes) : bytes;
    return new SourceRecord(source, shardId, sequenceNumber, Integer.parseInt(place), arrivalTime, head, bytes.length);
  }

  @Override
  public TypeInformation<SourceRecord> getProducedType() {
    return SourceRecordTypeInfo.INSTANCE;
  }
}
