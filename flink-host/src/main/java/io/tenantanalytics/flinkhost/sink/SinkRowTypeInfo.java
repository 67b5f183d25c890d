package io.tenantanalytics.flinkhost.sink;

import io.tenantanalytics.flinkhost.types.ImmutableSerializer;
import io.tenantanalytics.flinkhost.types.ImmutableType;
import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.types.StringValue;

/** The Flink type of {@link SinkRow}. */
public final class SinkRowTypeInfo extends ImmutableType<SinkRow> {
  private static final long serialVersionUID = 1L;
  public static final SinkRowTypeInfo INSTANCE = new SinkRowTypeInfo();

  private SinkRowTypeInfo() {
    super(SinkRow.class, new Serializer());
  }

  static final class Serializer extends ImmutableSerializer<SinkRow> {
    private static final long serialVersionUID = 1L;

    @Override
    public void serialize(SinkRow row, DataOutputView target) throws IOException {
      StringValue.writeString(row.partition, target);
      target.writeInt(row.bytes.length);
      target.write(row.bytes);
    }

    @Override
    public SinkRow deserialize(DataInputView source) throws IOException {
      String partition = StringValue.readString(source);
      byte[] bytes = new byte[source.readInt()];
      source.readFully(bytes);
      return new SinkRow(partition, bytes);
    }

    @Override
    public TypeSerializerSnapshot<SinkRow> snapshotConfiguration() {
      return new Snapshot();
    }
  }

  /** Other bytes need another class, and a migration from this one. */
  public static final class Snapshot extends SimpleTypeSerializerSnapshot<SinkRow> {
    public Snapshot() {
      super(Serializer::new);
    }
  }
}
