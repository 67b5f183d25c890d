package io.tenantanalytics.peer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.reader.SimpleStreamFormat;
import org.apache.flink.connector.file.src.reader.StreamFormat;
import org.apache.flink.core.fs.FSDataInputStream;

/** Lines as bytes: Jackson reads those faster than a String, and dead letters carry them as they are. */
public class LineFormat extends SimpleStreamFormat<Line> {
  private static final long serialVersionUID = 1L;
  private final boolean ofCompanies;
  private final String file;
  private final long arrivalTime;

  public LineFormat(boolean ofCompanies, String file, long arrivalTime) {
    this.ofCompanies = ofCompanies;
    this.file = file;
    this.arrivalTime = arrivalTime;
  }

  @Override
  public TypeInformation<Line> getProducedType() {
    return TypeInformation.of(Line.class);
  }

  @Override
  public StreamFormat.Reader<Line> createReader(Configuration config, FSDataInputStream stream) {
    return new Reader(stream);
  }

  private final class Reader implements StreamFormat.Reader<Line> {
    private final FSDataInputStream stream;
    private final byte[] buffer = new byte[64 * 1024];
    private final ByteArrayOutputStream begun = new ByteArrayOutputStream();
    private int at;
    private int end;
    private long number;

    Reader(FSDataInputStream stream) {
      this.stream = stream;
    }

    @Override
    public Line read() throws IOException {
      for (byte[] bytes; (bytes = nextLine()) != null; ) {
        number++;
        int length = bytes.length;
        if (length > 0 && bytes[length - 1] == '\r') length--;
        if (!isBlank(bytes, length)) {
          byte[] text = length == bytes.length ? bytes : Arrays.copyOf(bytes, length);
          return new Line(ofCompanies, file, number, arrivalTime, text);
        }
      }
      return null;
    }

    /** Without its line feed; null at the end of the file. */
    private byte[] nextLine() throws IOException {
      for (; ; ) {
        for (int feed = at; feed < end; feed++) {
          if (buffer[feed] != '\n') continue;
          byte[] line;
          if (begun.size() == 0) {
            line = Arrays.copyOfRange(buffer, at, feed);
          } else {
            begun.write(buffer, at, feed - at);
            line = begun.toByteArray();
            begun.reset();
          }
          at = feed + 1;
          return line;
        }
        begun.write(buffer, at, end - at);
        at = 0;
        end = Math.max(0, stream.read(buffer, 0, buffer.length));
        if (end > 0) continue;
        if (begun.size() == 0) return null;
        byte[] last = begun.toByteArray();
        begun.reset();
        return last;
      }
    }

    @Override
    public void close() throws IOException {
      stream.close();
    }
  }

  private static boolean isBlank(byte[] bytes, int length) {
    for (int at = 0; at < length; at++) {
      if (bytes[at] != ' ' && bytes[at] != '\t' && bytes[at] != '\r') return false;
    }
    return true;
  }
}
