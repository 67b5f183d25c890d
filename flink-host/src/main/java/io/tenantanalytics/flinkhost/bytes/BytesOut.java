package io.tenantanalytics.flinkhost.bytes;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A growing byte buffer; writes what {@code ByteReader} of the graph's bundle reads: LEB128 integers, UTF-8 text. */
public final class BytesOut {
  private byte[] bytes;
  private int length;

  public BytesOut(int capacity) {
    bytes = new byte[capacity];
  }

  public int length() {
    return length;
  }

  public void clear() {
    length = 0;
  }

  public void write(int value) {
    if (length == bytes.length) grow(1);
    bytes[length++] = (byte) value;
  }

  /** An unsigned integer of at most 2^53 - 1. */
  public void varint(long value) {
    if (value < 0) throw new IllegalArgumentException("expected an unsigned integer, got " + value);
    if (length + 10 > bytes.length) grow(10);
    long rest = value;
    while (rest >= 0x80) {
      bytes[length++] = (byte) ((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    bytes[length++] = (byte) rest;
  }

  /** A signed integer of magnitude below 2^52, zigzag. */
  public void signed(long value) {
    varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** UTF-8 with its length in bytes before it. */
  public void text(String value) {
    int size = value.length();
    if (size < 128 && isAscii(value)) {
      if (length + size + 1 > bytes.length) grow(size + 1);
      bytes[length++] = (byte) size;
      for (int at = 0; at < size; at++) bytes[length++] = (byte) value.charAt(at);
      return;
    }
    block(value.getBytes(StandardCharsets.UTF_8));
  }

  /** Bytes with their length before them. */
  public void block(byte[] value) {
    varint(value.length);
    raw(value, 0, value.length);
  }

  public void raw(byte[] value, int from, int to) {
    int size = to - from;
    if (length + size > bytes.length) grow(size);
    System.arraycopy(value, from, bytes, length, size);
    length += size;
  }

  public void putInto(ByteBuffer buffer) {
    buffer.put(bytes, 0, length);
  }

  /** What was written from {@code from} on. */
  public byte[] copyFrom(int from) {
    return Arrays.copyOfRange(bytes, from, length);
  }

  private static boolean isAscii(String value) {
    for (int at = 0; at < value.length(); at++) if (value.charAt(at) >= 0x80) return false;
    return true;
  }

  private void grow(int more) {
    bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, length + more));
  }
}
