package io.tenantanalytics.flinkhost.operator;

import io.tenantanalytics.flinkhost.types.ImmutableSerializer;
import io.tenantanalytics.flinkhost.types.ImmutableType;
import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.types.StringValue;

/** The Flink type of {@link Element}: written by hand, as this is the one exchange over the network for each record. */
public final class ElementTypeInfo extends ImmutableType<Element> {
  private static final long serialVersionUID = 1L;
  public static final ElementTypeInfo INSTANCE = new ElementTypeInfo();

  private ElementTypeInfo() {
    super(Element.class, new Serializer());
  }

  static final class Serializer extends ImmutableSerializer<Element> {
    private static final long serialVersionUID = 1L;

    @Override
    public void serialize(Element element, DataOutputView target) throws IOException {
      StringValue.writeString(element.key, target);
      target.writeLong(element.watermark);
      target.writeInt(element.bytes.length);
      target.write(element.bytes);
    }

    @Override
    public Element deserialize(DataInputView source) throws IOException {
      String key = StringValue.readString(source);
      long watermark = source.readLong();
      byte[] bytes = new byte[source.readInt()];
      source.readFully(bytes);
      return new Element(key, watermark, bytes);
    }

    @Override
    public TypeSerializerSnapshot<Element> snapshotConfiguration() {
      return new Snapshot();
    }
  }

  /** Elements are in no state but in unaligned checkpoints; other bytes need another class. */
  public static final class Snapshot extends SimpleTypeSerializerSnapshot<Element> {
    public Snapshot() {
      super(Serializer::new);
    }
  }
}
