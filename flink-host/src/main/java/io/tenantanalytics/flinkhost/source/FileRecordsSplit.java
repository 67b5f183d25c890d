package io.tenantanalytics.flinkhost.source;

import java.io.IOException;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;

/** All the files, of which reading goes on in the file {@code file} before the line after {@code line}. */
final class FileRecordsSplit implements SourceSplit {
  /** Bytes of each file to read: fixed when the run began, the same after each restart. */
  final long[] sizes;

  /** Index of the file; their number at the end. */
  final int file;

  /** Of the next line, in the (uncompressed) file. */
  final long offset;

  /** Physical lines before it. */
  final long line;

  FileRecordsSplit(long[] sizes, int file, long offset, long line) {
    this.sizes = sizes;
    this.file = file;
    this.offset = offset;
    this.line = line;
  }

  @Override
  public String splitId() {
    return "files";
  }

  static final class Serializer implements SimpleVersionedSerializer<FileRecordsSplit> {
    private static final int VERSION = 1;

    @Override
    public int getVersion() {
      return VERSION;
    }

    @Override
    public byte[] serialize(FileRecordsSplit split) throws IOException {
      DataOutputSerializer out = new DataOutputSerializer(64);
      out.writeInt(split.sizes.length);
      for (long size : split.sizes) out.writeLong(size);
      out.writeInt(split.file);
      out.writeLong(split.offset);
      out.writeLong(split.line);
      return out.getCopyOfBuffer();
    }

    @Override
    public FileRecordsSplit deserialize(int version, byte[] serialized) throws IOException {
      if (version != VERSION) {
        throw new IOException("Expected a position in files of version " + VERSION + ", got version " + version
            + ": it was written by another release; start with that one.");
      }
      DataInputDeserializer in = new DataInputDeserializer(serialized);
      int files = in.readInt();
      if (files < 0 || files > serialized.length / Long.BYTES) {
        throw new IOException("The position in files is damaged: it tells of " + files + " files.");
      }
      long[] sizes = new long[files];
      for (int file = 0; file < files; file++) sizes[file] = in.readLong();
      FileRecordsSplit split = new FileRecordsSplit(sizes, in.readInt(), in.readLong(), in.readLong());
      if (in.available() > 0) {
        throw new IOException("The position in files is damaged: " + in.available() + " bytes follow it.");
      }
      return split;
    }
  }
}
