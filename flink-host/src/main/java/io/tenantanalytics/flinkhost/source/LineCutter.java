package io.tenantanalytics.flinkhost.source;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Cuts a file into lines as the Node host does (src/connectors/file/file-partition.ts). Blank lines are passed over, and
 * counted.
 *
 * <p>Invariant: {@link #offset()} and {@link #line()} are those after the last line delivered, wherever the pieces that were
 * read end.
 */
final class LineCutter implements Closeable {
  enum Step {
    /** A record was cut; {@link #bytes()}, {@link #size()} and {@link #line()} tell of it. */
    RECORD,
    /** A piece was worked off and no record was complete in it; call again. */
    NONE_YET,
    ENDED
  }

  private static final int READ_BYTES = 512 * 1024;
  private static final byte LINE_FEED = '\n';
  private static final byte CARRIAGE_RETURN = '\r';
  private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long ONES = 0x0101010101010101L;
  private static final long HIGH_BITS = 0x8080808080808080L;
  private static final byte[] NOTHING = new byte[0];

  private final InputStream in;
  private final int maxRecordBytes;
  private final byte[] chunk;
  private int at;
  private int limit;
  private boolean isAtEnd;

  /** The start of a line whose end was not read yet; of a line beyond the limit, only its head. */
  private byte[] carry = NOTHING;

  private int carryLength;
  private long carrySize;

  private long offset;
  private long line;
  private byte[] bytes = NOTHING;
  private int size;

  /** @param in the bytes from {@code offset} on; closed with this */
  LineCutter(InputStream in, long offset, long line, int maxRecordBytes) {
    this(in, offset, line, maxRecordBytes, READ_BYTES);
  }

  LineCutter(InputStream in, long offset, long line, int maxRecordBytes, int readBytes) {
    this.in = in;
    this.offset = offset;
    this.line = line;
    this.maxRecordBytes = maxRecordBytes;
    this.chunk = new byte[readBytes];
  }

  /** Of the next line, in the (uncompressed) file. */
  long offset() {
    return offset;
  }

  /** The last line delivered, from 1. */
  long line() {
    return line;
  }

  /** The record; of one beyond the limit its head, as many bytes as the limit. */
  byte[] bytes() {
    return bytes;
  }

  /** Bytes of the record; more than {@link #bytes()} has when it is beyond the limit. */
  int size() {
    return size;
  }

  Step next() throws IOException {
    for (; ; ) {
      int end = indexOfLineFeed(chunk, at, limit);
      if (end < 0) {
        keep(at, limit);
        at = limit;
        if (isAtEnd) {
          if (carrySize == 0) return Step.ENDED;
          if (cutCarried(0)) return Step.RECORD;
        } else {
          fill();
          return Step.NONE_YET;
        }
      } else {
        int from = at;
        at = end + 1;
        if (carrySize > 0) {
          keep(from, end);
          if (cutCarried(1)) return Step.RECORD;
        } else if (cut(chunk, from, end, end - from, 1)) {
          return Step.RECORD;
        }
      }
    }
  }

  private void fill() throws IOException {
    at = 0;
    limit = 0;
    int read = in.read(chunk, 0, chunk.length);
    if (read < 0) isAtEnd = true;
    else limit = read;
  }

  private boolean cutCarried(int lineFeed) {
    int length = carryLength;
    long whole = carrySize;
    carryLength = 0;
    carrySize = 0;
    return cut(carry, 0, length, whole, lineFeed);
  }

  /** One line of {@code whole} bytes, of which those from {@code from} to {@code to} are held. False when it is blank. */
  private boolean cut(byte[] held, int from, int to, long whole, int lineFeed) {
    offset += whole + lineFeed;
    line++;
    int end = to > from && held[to - 1] == CARRIAGE_RETURN ? to - 1 : to;
    if (whole - (to - end) > maxRecordBytes) {
      bytes = Arrays.copyOfRange(held, from, from + maxRecordBytes);
      size = (int) Math.min(whole, Integer.MAX_VALUE);
      return true;
    }
    if (isBlank(held, from, end)) return false;
    bytes = Arrays.copyOfRange(held, from, end);
    size = end - from;
    return true;
  }

  private void keep(int from, int to) {
    int length = to - from;
    if (length == 0) return;
    carrySize += length;
    int kept = Math.min(length, Math.max(0, maxRecordBytes + 1 - carryLength));
    int needed = carryLength + kept;
    if (needed > carry.length) {
      long larger = Math.max(4096, Math.min(needed * 2L, maxRecordBytes + 1L));
      carry = Arrays.copyOf(carry, (int) larger);
    }
    System.arraycopy(chunk, from, carry, carryLength, kept);
    carryLength = needed;
  }

  /** Eight bytes at a time: a byte of {@code word ^ line feeds} is 0 where a line feed is. */
  static int indexOfLineFeed(byte[] bytes, int from, int to) {
    int at = from;
    for (; at <= to - Long.BYTES; at += Long.BYTES) {
      long differs = (long) LONGS.get(bytes, at) ^ (ONES * LINE_FEED);
      long found = (differs - ONES) & ~differs & HIGH_BITS;
      if (found != 0) return at + (Long.numberOfTrailingZeros(found) >>> 3);
    }
    for (; at < to; at++) {
      if (bytes[at] == LINE_FEED) return at;
    }
    return -1;
  }

  private static boolean isBlank(byte[] bytes, int from, int to) {
    for (int at = from; at < to; at++) {
      byte one = bytes[at];
      if (one != ' ' && one != '\t' && one != CARRIAGE_RETURN) return false;
    }
    return true;
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
