package io.tenantanalytics.flinkhost.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileRecordsSourceTest {
  private static final int LIMIT = 100;
  @TempDir Path folder;

  private String write(String name, byte[]... parts) throws IOException {
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    for (byte[] part : parts) whole.write(part);
    return Files.write(folder.resolve(name), whole.toByteArray()).toString();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] gzip(String text) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(bytes(text));
    }
    return out.toByteArray();
  }

  private static InputFile file(int source, String path, boolean gzip) {
    return new InputFile(source, path, gzip, 1_750_000_000_000L, 0, 0, LIMIT);
  }

  private static String lines(String prefix, int count) {
    StringBuilder text = new StringBuilder();
    for (int line = 1; line <= count; line++) text.append(prefix).append(line).append('\n');
    return text.toString();
  }

  /** Records as {@code source:line:text}, with the state after each. */
  private static final class Collected {
    final List<String> records = new ArrayList<>();
    final List<FileRecordsSplit> states = new ArrayList<>();
  }

  private static FileRecordsReader reader(List<InputFile> files, List<Object> requests) {
    SourceReaderContext context = (SourceReaderContext) Proxy.newProxyInstance(
        FileRecordsSourceTest.class.getClassLoader(), new Class<?>[] {SourceReaderContext.class}, (proxy, method, arguments) -> {
          if (method.getName().equals("metricGroup")) return UnregisteredMetricsGroup.createSourceReaderMetricGroup();
          assertEquals("sendSplitRequest", method.getName());
          requests.add(method.getName());
          return null;
        });
    return new FileRecordsReader(context, files);
  }

  private static Collected readFrom(List<InputFile> files, FileRecordsSplit split) throws IOException {
    Collected collected = new Collected();
    FileRecordsReader reader = reader(files, new ArrayList<>());
    @SuppressWarnings("unchecked")
    ReaderOutput<SourceRecord> output = (ReaderOutput<SourceRecord>) Proxy.newProxyInstance(
        FileRecordsSourceTest.class.getClassLoader(), new Class<?>[] {ReaderOutput.class}, (proxy, method, arguments) -> {
          SourceRecord record = (SourceRecord) arguments[0];
          collected.records.add(
              record.source + ":" + record.sequenceNumber + ":" + new String(record.bytes, StandardCharsets.UTF_8));
          collected.states.add(reader.snapshotState(1).get(0));
          return null;
        });
    reader.addSplits(List.of(split));
    while (reader.pollNext(output) != InputStatus.END_OF_INPUT) assertTrue(reader.isAvailable().isDone());
    reader.close();
    return collected;
  }

  /** What the enumerator hands out when its first reader asks. */
  private static FileRecordsSplit beginning(List<InputFile> files) {
    List<FileRecordsSplit> assigned = new ArrayList<>();
    FileRecordsEnumerator enumerator = new FileRecordsEnumerator(enumeratorContext(assigned, new ArrayList<>()), files, null);
    enumerator.start();
    enumerator.handleSplitRequest(0, null);
    return assigned.get(0);
  }

  @SuppressWarnings("unchecked")
  private static SplitEnumeratorContext<FileRecordsSplit> enumeratorContext(
      List<FileRecordsSplit> assigned, List<Integer> ended) {
    return (SplitEnumeratorContext<FileRecordsSplit>) Proxy.newProxyInstance(
        FileRecordsSourceTest.class.getClassLoader(), new Class<?>[] {SplitEnumeratorContext.class}, (proxy, method, arguments) -> {
          if (method.getName().equals("signalNoMoreSplits")) ended.add((Integer) arguments[0]);
          else if (method.isDefault()) {
            assertEquals(0, arguments[1], "only the first reader reads");
            assigned.add((FileRecordsSplit) arguments[0]);
          } else throw new AssertionError(method.getName());
          return null;
        });
  }

  private static Collected read(InputFile... files) throws IOException {
    return readFrom(List.of(files), beginning(List.of(files)));
  }

  @Test
  void filesAreReadOneAfterTheOtherInTheirOrder() throws IOException {
    String companies = write("companies.csv", bytes("id,industry\nc1\n\nc2"));
    String jobs = write("jobs.csv", bytes("j1\r\nj2\n"));
    InputFile first = new InputFile(1, companies, false, 5, 12, 1, LIMIT);
    assertEquals(List.of("1:2:c1", "1:4:c2", "0:1:j1", "0:2:j2"), read(first, file(0, jobs, false)).records);
  }

  @Test
  void aFileUrlNamesTheSameFileAsItsPath() throws IOException {
    String path = write("with a space %41.csv", bytes("a\n"));
    assertEquals(List.of("0:1:a"), read(file(0, "file://" + path, false)).records);
    assertEquals(List.of("0:1:a"), read(file(0, path, false)).records);
  }

  @Test
  void readingGoesOnAfterEveryRecordAsIfItHadNotStopped() throws IOException {
    String mixed = lines("line ", 300) + "\n\r\n" + "x".repeat(LIMIT + 1) + "\n" + lines("more ", 20) + "last";
    List<InputFile> files = List.of(
        file(1, write("a", bytes(mixed)), false), file(0, write("b.gz", gzip(mixed)), true), file(0, write("c"), false));
    Collected whole = readFrom(files, beginning(files));
    assertEquals(2 * 322, whole.records.size());
    FileRecordsSplit.Serializer serializer = new FileRecordsSplit.Serializer();
    for (int index = 0; index < whole.records.size(); index++) {
      FileRecordsSplit state = serializer.deserialize(1, serializer.serialize(whole.states.get(index)));
      assertEquals(whole.records.subList(index + 1, whole.records.size()), readFrom(files, state).records);
    }
  }

  @Test
  void aGzipFileOfSeveralMembersIsReadToItsEnd() throws IOException {
    String path = write("jobs.gz", gzip("a\nb"), gzip("c\n"), gzip(""), gzip(lines("line ", 50_000)), new byte[600]);
    Collected collected = read(file(0, path, true));
    assertEquals(50_002, collected.records.size());
    assertEquals(List.of("0:1:a", "0:2:bc", "0:3:line 1"), collected.records.subList(0, 3));
  }

  @Test
  void aGzipFileThatBreaksOffOrHasOtherBytesInItIsAnError() throws IOException {
    byte[] second = gzip("b\n");
    byte[][] rests = {
      Arrays.copyOf(second, 5), Arrays.copyOf(second, 15), Arrays.copyOf(second, second.length - 1), bytes("other bytes"),
      bytes("x".repeat(100_000))
    };
    for (byte[] rest : rests) {
      String path = write("broken.gz", gzip("a\n"), rest);
      IOException error = assertThrows(IOException.class, () -> read(file(0, path, true)));
      assertTrue(error.getMessage().contains("broken.gz: expected a whole gzip file"), error.getMessage());
    }
    String empty = write("empty.gz");
    assertThrows(IOException.class, () -> read(file(0, empty, true)));
  }

  @Test
  void aFileThatBecameShorterIsAnErrorAndWhatIsAddedIsNotRead() throws IOException {
    String path = write("jobs", bytes("a\nb\n"));
    InputFile longer = new InputFile(0, path, false, 0, 0, 0, LIMIT, 5);
    IOException error = assertThrows(IOException.class, () -> read(longer));
    assertTrue(error.getMessage().contains("expected 5 bytes, got 4: the file became shorter"), error.getMessage());
    assertEquals(List.of("0:1:a"), read(new InputFile(0, path, false, 0, 0, 0, LIMIT, 2)).records);
    String gz = write("jobs.gz", gzip("a\n"));
    List<InputFile> files = List.of(file(0, gz, true));
    FileRecordsSplit beyond = new FileRecordsSplit(new long[] {Files.size(Path.of(gz))}, 0, 3, 2);
    assertTrue(assertThrows(IOException.class, () -> readFrom(files, beyond)).getMessage().contains("the file was changed"));
  }

  @Test
  void aFileThatIsNotThereIsToldBeforeAnythingIsRead() {
    List<InputFile> files = List.of(file(0, folder.resolve("none").toString(), false));
    RuntimeException error = assertThrows(RuntimeException.class, () -> beginning(files));
    assertTrue(error.getMessage().contains("none: expected a file that is there"), error.getMessage());
    List<InputFile> folders = List.of(file(0, folder.toString(), false));
    assertThrows(RuntimeException.class, () -> beginning(folders));
  }

  @Test
  void onlyTheFirstReaderReadsAlsoAfterItFailed() throws IOException {
    List<InputFile> files = List.of(file(0, write("jobs", bytes("a\n")), false));
    List<FileRecordsSplit> assigned = new ArrayList<>();
    List<Integer> ended = new ArrayList<>();
    FileRecordsEnumerator enumerator = new FileRecordsEnumerator(enumeratorContext(assigned, ended), files, null);
    enumerator.start();
    assertEquals(0, enumerator.snapshotState(1).unassigned.file);
    enumerator.handleSplitRequest(1, null);
    assertEquals(List.of(1), ended);
    assertEquals(0, assigned.size());
    enumerator.handleSplitRequest(0, null);
    enumerator.handleSplitRequest(0, null);
    assertEquals(1, assigned.size());

    enumerator.addSplitsBack(assigned, 0);
    FileRecordsEnumerator.StateSerializer serializer = new FileRecordsEnumerator.StateSerializer();
    byte[] state = serializer.serialize(enumerator.snapshotState(2));
    enumerator.handleSplitRequest(0, null);
    assertEquals(2, assigned.size());
    byte[] handedOut = serializer.serialize(enumerator.snapshotState(3));

    for (byte[] restored : new byte[][] {state, handedOut}) {
      List<FileRecordsSplit> again = new ArrayList<>();
      FileRecordsEnumerator next =
          new FileRecordsEnumerator(enumeratorContext(again, ended), files, serializer.deserialize(1, restored));
      next.start();
      next.handleSplitRequest(0, null);
      assertEquals(restored == state ? 1 : 0, again.size());
    }
  }

  @Test
  void aReaderWaitsForItsFilesAndAsksOnlyWhenItHasNone() throws IOException {
    List<InputFile> files = List.of(file(0, write("jobs", bytes("a\n")), false));
    List<Object> requests = new ArrayList<>();
    FileRecordsReader waiting = reader(files, requests);
    waiting.start();
    assertEquals(1, requests.size());
    assertTrue(!waiting.isAvailable().isDone());
    assertEquals(InputStatus.NOTHING_AVAILABLE, waiting.pollNext(null));
    waiting.notifyNoMoreSplits();
    assertTrue(waiting.isAvailable().isDone());
    assertEquals(InputStatus.END_OF_INPUT, waiting.pollNext(null));
    assertEquals(List.of(), waiting.snapshotState(1));

    FileRecordsReader restored = reader(files, requests);
    restored.addSplits(List.of(new FileRecordsSplit(new long[] {2}, 1, 0, 0)));
    restored.start();
    assertEquals(1, requests.size());
    assertEquals(InputStatus.END_OF_INPUT, restored.pollNext(null));
    assertEquals(1, restored.snapshotState(1).get(0).file);
  }

  @Test
  void positionsOfOtherFilesOfAnotherVersionOrDamagedAreRefused() throws IOException {
    FileRecordsSplit.Serializer serializer = new FileRecordsSplit.Serializer();
    byte[] bytes = serializer.serialize(new FileRecordsSplit(new long[] {1, 2}, 1, 3, 4));
    assertTrue(assertThrows(IOException.class, () -> serializer.deserialize(2, bytes)).getMessage().contains("version 2"));
    assertThrows(IOException.class, () -> serializer.deserialize(1, Arrays.copyOf(bytes, bytes.length + 1)));
    assertThrows(IOException.class, () -> serializer.deserialize(1, Arrays.copyOf(bytes, bytes.length - 1)));
    assertThrows(IOException.class, () -> serializer.deserialize(1, new byte[] {127, 0, 0, 0}));
    FileRecordsReader reader = reader(List.of(file(0, "/one", false)), new ArrayList<>());
    FileRecordsSplit ofTwo = serializer.deserialize(1, bytes);
    assertThrows(IllegalStateException.class, () -> reader.addSplits(List.of(ofTwo)));
  }

  @Test
  void aRecordIsTheSameAfterItWasSent() throws IOException {
    var serializer = new SourceRecordTypeInfo.Serializer();
    SourceRecord[] records = {
      new SourceRecord(0, null, "12345678", -1, 1_750_000_000_000L, bytes("{}"), 2),
      new SourceRecord(3, "shardId-000000000001", "49".repeat(28), 7, -1, new byte[0], 2_000_000)
    };
    for (SourceRecord record : records) {
      DataOutputSerializer out = new DataOutputSerializer(16);
      serializer.serialize(record, out);
      DataOutputSerializer copied = new DataOutputSerializer(16);
      serializer.copy(new DataInputDeserializer(out.getCopyOfBuffer()), copied);
      SourceRecord read = serializer.deserialize(new DataInputDeserializer(copied.getCopyOfBuffer()));
      assertEquals(describe(record), describe(read));
    }
  }

  private static String describe(SourceRecord record) {
    return String.join(" ", "" + record.source, record.partition, record.sequenceNumber, "" + record.subSequence,
        "" + record.arrivalTime, Arrays.toString(record.bytes), "" + record.size);
  }
}
