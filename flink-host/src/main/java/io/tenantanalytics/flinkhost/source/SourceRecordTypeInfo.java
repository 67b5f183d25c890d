package io.tenantanalytics.flinkhost.source;

import io.tenantanalytics.flinkhost.types.ImmutableSerializer;
import io.tenantanalytics.flinkhost.types.ImmutableType;
import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.types.StringValue;

/** The Flink type of {@link SourceRecord}. */
public final class SourceRecordTypeInfo extends ImmutableType<SourceRecord> {
  private static final long serialVersionUID = 1L;
  public static final SourceRecordTypeInfo INSTANCE = new SourceRecordTypeInfo();

  private SourceRecordTypeInfo() {
    super(SourceRecord.class, new Serializer());
  }

  static final class Serializer extends ImmutableSerializer<SourceRecord> {
    private static final long serialVersionUID = 1L;

    @Override
    public void serialize(SourceRecord record, DataOutputView target) throws IOException {
      target.writeInt(record.source);
      StringValue.writeString(record.partition, target);
      StringValue.writeString(record.sequenceNumber, target);
      target.writeInt(record.subSequence);
      target.writeLong(record.arrivalTime);
      target.writeInt(record.size);
      target.writeInt(record.bytes.length);
      target.write(record.bytes);
    }

    @Override
    public SourceRecord deserialize(DataInputView source) throws IOException {
      int index = source.readInt();
      String partition = StringValue.readString(source);
      String sequenceNumber = StringValue.readString(source);
      int subSequence = source.readInt();
      long arrivalTime = source.readLong();
      int size = source.readInt();
      byte[] bytes = new byte[source.readInt()];
      source.readFully(bytes);
      return new SourceRecord(index, partition, sequenceNumber, subSequence, arrivalTime, bytes, size);
    }

    @Override
    public TypeSerializerSnapshot<SourceRecord> snapshotConfiguration() {
      return new Snapshot();
    }
  }

  /** Other bytes need another class, and a migration from this one. */
  public static final class Snapshot extends SimpleTypeSerializerSnapshot<SourceRecord> {
    public Snapshot() {
      super(Serializer::new);
    }
  }
}
