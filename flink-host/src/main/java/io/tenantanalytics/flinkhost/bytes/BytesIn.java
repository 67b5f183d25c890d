package io.tenantanalytics.flinkhost.bytes;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Reads what {@code ByteWriter} of the graph's bundle wrote. */
public final class BytesIn {
  private byte[] bytes = new byte[64 * 1024];
  private int at;
  private int end;

  /** Takes a copy of the buffer's remaining bytes, and begins at its start. */
  public void fill(ByteBuffer buffer) {
    end = buffer.remaining();
    at = 0;
    if (end > bytes.length) bytes = new byte[Math.max(end, bytes.length * 2)];
    buffer.get(bytes, 0, end);
  }

  public boolean hasMore() {
    return at < end;
  }

  public int read() {
    if (at >= end) throw new IllegalStateException("the script's answer ends at " + end + ", where more was expected");
    return bytes[at++] & 0xff;
  }

  public long varint() {
    long value = 0;
    int shift = 0;
    for (;;) {
      int next = read();
      value |= (long) (next & 0x7f) << shift;
      if (next < 0x80) return value;
      shift += 7;
    }
  }

  public String text() {
    int size = (int) varint();
    String text = new String(bytes, skip(size), size, StandardCharsets.UTF_8);
    return text;
  }

  public byte[] block() {
    int size = (int) varint();
    int from = skip(size);
    return Arrays.copyOfRange(bytes, from, from + size);
  }

  private int skip(int size) {
    if (size > end - at) throw new IllegalStateException("the script's answer is " + (size - (end - at)) + " bytes short");
    int from = at;
    at += size;
    return from;
  }
}
