package io.tenantanalytics.peer;

import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import org.apache.flink.api.common.serialization.Encoder;

/** A line of JSON, in one write: the stream of a FileSink is not buffered. */
public class JsonEncoder<T> implements Encoder<T> {
  private static final long serialVersionUID = 1L;
  private final Class<T> type;
  private transient ObjectWriter writer;

  public JsonEncoder(Class<T> type) {
    this.type = type;
  }

  @Override
  public void encode(T element, OutputStream stream) throws IOException {
    if (writer == null) writer = JsonMapper.builder().build().writerFor(type);
    byte[] json = writer.writeValueAsBytes(element);
    byte[] line = Arrays.copyOf(json, json.length + 1);
    line[json.length] = '\n';
    stream.write(line);
  }
}
