package io.tenantanalytics.flinkhost.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The cases of src/connectors/file/file-partition.test.ts. A cut line reads {@code line:text}, {@code !size} after it when too long. */
class LineCutterTest {
  private static final int LIMIT = 12;
  private static final String[] PIECES = {
    "\n", "\r\n", "\r", " ", "\t", "a", "\n\n", "\u00e9", "", "abc", "abcdefg", "abcdefghijklmnop",
    "x".repeat(LIMIT - 1), "x".repeat(LIMIT), "x".repeat(LIMIT + 1), "x".repeat(100)
  };

  private static final class Position {
    final long offset;
    final long line;

    Position(long offset, long line) {
      this.offset = offset;
      this.line = line;
    }
  }

  private static List<String> cut(String content, int pieceBytes, Position from, List<Position> positions) throws IOException {
    byte[] bytes = content.getBytes(StandardCharsets.ISO_8859_1);
    int start = (int) from.offset;
    InputStream in = new ByteArrayInputStream(bytes, start, bytes.length - start);
    List<String> records = new ArrayList<>();
    try (LineCutter cutter = new LineCutter(in, from.offset, from.line, LIMIT, pieceBytes)) {
      for (LineCutter.Step step; (step = cutter.next()) != LineCutter.Step.ENDED; ) {
        if (step == LineCutter.Step.NONE_YET) continue;
        String text = new String(cutter.bytes(), StandardCharsets.ISO_8859_1);
        boolean isWhole = cutter.size() == cutter.bytes().length;
        records.add(cutter.line() + ":" + text + (isWhole ? "" : "!" + cutter.size()));
        positions.add(new Position(cutter.offset(), cutter.line()));
      }
      assertEquals(LineCutter.Step.ENDED, cutter.next(), "nothing is delivered after the end");
    }
    return records;
  }

  private static List<String> cut(String content, int pieceBytes) throws IOException {
    return cut(content, pieceBytes, new Position(0, 0), new ArrayList<>());
  }

  /** The same by splitting the whole text, one character being one byte. */
  private static List<String> expectedOf(String content) {
    List<String> records = new ArrayList<>();
    String[] lines = content.split("\n", -1);
    int count = lines[lines.length - 1].isEmpty() ? lines.length - 1 : lines.length;
    for (int index = 0; index < count; index++) {
      String raw = lines[index];
      String text = raw.endsWith("\r") ? raw.substring(0, raw.length() - 1) : raw;
      if (text.length() > LIMIT) records.add((index + 1) + ":" + text.substring(0, LIMIT) + "!" + raw.length());
      else if (!text.chars().allMatch(one -> one == ' ' || one == '\t' || one == '\r')) records.add((index + 1) + ":" + text);
    }
    return records;
  }

  private static String anyContent(Random random) {
    StringBuilder content = new StringBuilder();
    for (int count = random.nextInt(25); count > 0; count--) content.append(PIECES[random.nextInt(PIECES.length)]);
    return content.toString();
  }

  @Test
  void linesAreTheSameWhereverThePiecesThatWereReadEnd() throws IOException {
    for (int seed = 0; seed < 5000; seed++) {
      Random random = new Random(seed);
      String content = anyContent(random);
      assertEquals(expectedOf(content), cut(content, 1 + random.nextInt(30)), "seed " + seed);
    }
  }

  @Test
  void linesGoOnFromEveryPositionAsIfReadingHadNotStopped() throws IOException {
    for (int seed = 0; seed < 500; seed++) {
      Random random = new Random(seed);
      String content = anyContent(random);
      List<Position> positions = new ArrayList<>();
      List<String> whole = cut(content, 7, new Position(0, 0), positions);
      for (int index = 0; index < whole.size(); index++) {
        List<String> rest = cut(content, 1 + random.nextInt(30), positions.get(index), new ArrayList<>());
        assertEquals(whole.subList(index + 1, whole.size()), rest, "seed " + seed + " after " + index);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "end with LF or CR LF, a$b^$, 1:a 2:b",
    "may miss LF at the end of the file, a$b, 1:a 2:b",
    "may miss LF after a CR, a$b^, 1:a 2:b",
    "keep a CR inside, a^b$, 1:a^b",
    "lose one CR of two, a^^$, 1:a^",
    "keep blanks around, _a_$, 1:_a_",
    "are counted and passed over when blank, $^$_~^^$$last, 5:last",
    "are none in an empty file, '', ''",
    "are none in a file of blank lines, $$_$, ''",
  })
  void lines(String what, String written, String expected) throws IOException {
    String content = written.replace('$', '\n').replace('^', '\r').replace('_', ' ').replace('~', '\t');
    for (int pieceBytes : new int[] {1, 2, 1000}) {
      String records = String.join("|", cut(content, pieceBytes)).replace(' ', '_').replace('|', ' ').replace('\r', '^');
      assertEquals(expected, records, what);
    }
  }

  @Test
  void aRecordAtTheSizeLimitIsDeliveredItsLineEndNotCounted() throws IOException {
    String exact = "x".repeat(LIMIT);
    for (String end : new String[] {"", "\n", "\r\n", "\r"}) {
      for (int pieceBytes : new int[] {1, LIMIT, LIMIT + 1, 1000}) {
        assertEquals(List.of("1:" + exact), cut(exact + end, pieceBytes));
      }
    }
  }

  @Test
  void oneByteMoreIsToldAsTooLongWithItsHeadAndItsWholeSize() throws IOException {
    String exact = "x".repeat(LIMIT);
    for (int pieceBytes : new int[] {1, LIMIT, LIMIT + 1, LIMIT + 2, 1000}) {
      List<Position> positions = new ArrayList<>();
      assertEquals(
          List.of("1:" + exact + "!13", "2:next"),
          cut(exact + "y\nnext\n", pieceBytes, new Position(0, 0), positions));
      assertEquals(LIMIT + 2, positions.get(0).offset);
      assertEquals(LIMIT + 7, positions.get(1).offset);
      assertEquals(2, positions.get(1).line);
    }
  }

  /** A line of 3 GB: held whole, it would not fit into any array. */
  @Test
  void howeverLongALineIsOnlyItsHeadIsHeld() throws IOException {
    InputStream endless = new InputStream() {
      private long left = 3_000_000_000L;

      @Override
      public int read() {
        throw new UnsupportedOperationException();
      }

      @Override
      public int read(byte[] into, int from, int length) {
        if (left == 0) return -1;
        int read = (int) Math.min(length, left);
        Arrays.fill(into, from, from + read, (byte) 'z');
        left -= read;
        return read;
      }
    };
    try (LineCutter cutter = new LineCutter(endless, 0, 0, LIMIT)) {
      int steps = 0;
      while (cutter.next() == LineCutter.Step.NONE_YET) steps++;
      assertTrue(steps > 1000, "the caller may pause within a line");
      assertEquals(LIMIT, cutter.bytes().length);
      assertEquals(Integer.MAX_VALUE, cutter.size());
      assertEquals(3_000_000_000L, cutter.offset());
    }
  }

  @Test
  void aLineFeedIsFoundAmongAllOtherBytes() {
    Random random = new Random(1);
    for (int run = 0; run < 20_000; run++) {
      byte[] bytes = new byte[random.nextInt(40)];
      for (int at = 0; at < bytes.length; at++) bytes[at] = (byte) (random.nextInt(10) == 0 ? 8 + random.nextInt(5) : random.nextInt());
      int from = bytes.length == 0 ? 0 : random.nextInt(bytes.length);
      int to = from + random.nextInt(bytes.length - from + 1);
      int expected = -1;
      for (int at = to - 1; at >= from; at--) if (bytes[at] == '\n') expected = at;
      assertEquals(expected, LineCutter.indexOfLineFeed(bytes, from, to));
    }
  }
}
