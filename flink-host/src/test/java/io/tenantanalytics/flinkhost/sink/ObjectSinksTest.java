package io.tenantanalytics.flinkhost.sink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ObjectSinksTest {
  private static final long NEVER_MS = 3_600_000;
  @TempDir Path folder;

  private List<Path> files() throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      return all.filter(Files::isRegularFile).sorted().collect(Collectors.toList());
    }
  }

  /** All lines of all files; each file must be visible, and named as a part. */
  private List<String> committedLines(String extension) throws IOException {
    List<String> lines = new ArrayList<>();
    for (Path path : files()) {
      String name = folder.relativize(path).toString();
      assertTrue(name.matches("dt=2026-11-\\d\\d/part-[0-9a-f-]{36}-\\d+\\." + extension), name);
      lines.addAll(Files.readAllLines(path));
    }
    return lines;
  }

  /** {@code rows} rows of two lines each over three days; the last is sent after so many checkpoints. */
  private void run(String uid, int rows, int checkpoints, long rollBytes, long rollAgeMs, int parallelism) throws Exception {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(parallelism);
    if (checkpoints > 0) env.enableCheckpointing(100);
    Rows.completed.set(0);
    var stream = env.addSource(new Rows(rows, checkpoints), "rows", SinkRowTypeInfo.INSTANCE).rebalance();
    ObjectSinks.attach(stream, uid, "file://" + folder, "jsonl", rollBytes, rollAgeMs);
    env.execute();
  }

  private static void assertEachOnce(List<String> lines, int rows) {
    assertEquals(2 * rows, lines.size());
    assertEquals(2 * rows, new HashSet<>(lines).size());
  }

  @Test
  void aBoundedRunLeavesOnlyVisiblePartsWithEachLineOnce() throws Exception {
    run("rows", 3000, 0, 1 << 20, NEVER_MS, 2);
    assertEachOnce(committedLines("jsonl"), 3000);
    assertEquals(3 * 2, files().size());
  }

  @Test
  void checkpointsMakeNoMorePartsThanRollingDemands() throws Exception {
    run("rows", 3000, 8, 1 << 20, NEVER_MS, 1);
    assertTrue(Rows.completed.get() >= 8);
    assertEachOnce(committedLines("jsonl"), 3000);
    assertEquals(3, files().size());
  }

  @Test
  void partsAreRolledBySizeAndNotMuchLargerThanIt() throws Exception {
    run("rows", 3000, 2, 4096, NEVER_MS, 1);
    assertEachOnce(committedLines("jsonl"), 3000);
    Map<Path, List<Path>> days = files().stream().collect(Collectors.groupingBy(Path::getParent));
    for (List<Path> parts : days.values()) {
      long bytes = 0;
      for (Path part : parts) {
        assertTrue(Files.size(part) < 4096 + 200, "a part of " + Files.size(part));
        bytes += Files.size(part);
      }
      assertTrue(parts.size() <= bytes / 4096 + 1, parts.size() + " parts of " + bytes + " bytes");
    }
  }

  @Test
  void partsAreRolledByAge() throws Exception {
    run("rows", 30, 20, 1 << 20, 200, 1);
    assertEachOnce(committedLines("jsonl"), 30);
    assertTrue(files().size() > 3, "2 seconds in parts of 200 ms: " + files().size());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "..", ".hidden", "_dead", "a/b", "/a", "a\\b", "dt=2026-11-22/..", "a\nb"})
  void aPartitionThatIsNoFolderNameIsRefused(String partition) {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1);
    var rows = env.fromData(SinkRowTypeInfo.INSTANCE, new SinkRow(partition, new byte[] {'a', '\n'}));
    ObjectSinks.attach(rows, "rows", "file://" + folder, "jsonl", 1000, 1000);
    Throwable error = assertThrows(Exception.class, env::execute);
    while (error.getCause() != null) error = error.getCause();
    assertTrue(error.getMessage().contains("name of one folder"), error.toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "rows", "/rows", "file://host", "s3:", "s3:///key", "gs://bucket/rows", "http://host/rows"})
  void aPathOfNoFolderOrBucketIsToldAtStart(String path) {
    String message = assertThrows(IllegalArgumentException.class, () -> ObjectSinks.open(path, "jsonl", 1, 1)).getMessage();
    assertTrue(message.contains("file:///folder or s3://bucket/prefix"), message);
  }

  @Test
  void bucketsAreTakenByBothNamesAndOtherSettingsMustMakeSense() {
    for (String path : new String[] {"s3://bucket/rows", "s3a://bucket", "s3://my_bucket/a b", "file:///rows/%41 b"}) {
      assertDoesNotThrow(() -> ObjectSinks.open(path, "jsonl", 1, 1), path);
    }
    assertThrows(IllegalArgumentException.class, () -> ObjectSinks.open(null, "jsonl", 1, 1));
    assertThrows(IllegalArgumentException.class, () -> ObjectSinks.open("s3://bucket", ".jsonl", 1, 1));
    assertThrows(IllegalArgumentException.class, () -> ObjectSinks.open("s3://bucket", "jsonl", 0, 1));
    assertThrows(IllegalArgumentException.class, () -> ObjectSinks.open("s3://bucket", "jsonl", 1, 0));
  }

  @Test
  void aRowIsTheSameAfterItWasSent() throws IOException {
    var serializer = new SinkRowTypeInfo.Serializer();
    SinkRow row = new SinkRow("dt=2026-11-22", "{\"a\":\"\u00e9\"}\n".getBytes(StandardCharsets.UTF_8));
    DataOutputSerializer out = new DataOutputSerializer(16);
    serializer.serialize(row, out);
    SinkRow read = serializer.deserialize(new DataInputDeserializer(out.getCopyOfBuffer()));
    assertEquals(row.partition, read.partition);
    assertArrayEquals(row.bytes, read.bytes);
  }

  @SuppressWarnings("deprecation")
  private static final class Rows
      implements org.apache.flink.streaming.api.functions.source.SourceFunction<SinkRow>, CheckpointListener {
    private static final long serialVersionUID = 1L;
    static final AtomicInteger completed = new AtomicInteger();
    private final int rows;
    private final int checkpoints;
    private volatile boolean isStopped;

    Rows(int rows, int checkpoints) {
      this.rows = rows;
      this.checkpoints = checkpoints;
    }

    /** Row n leaves when its share of the checkpoints is complete. */
    @Override
    public void run(SourceContext<SinkRow> context) throws InterruptedException {
      for (int row = 0; row < rows && !isStopped; row++) {
        while ((long) completed.get() * rows < (long) checkpoints * row && !isStopped) Thread.sleep(1);
        String lines = "{\"row\":" + row + ",\"line\":1}\n{\"row\":" + row + ",\"line\":2}\n";
        synchronized (context.getCheckpointLock()) {
          context.collect(new SinkRow("dt=2026-11-2" + row % 3, lines.getBytes(StandardCharsets.UTF_8)));
        }
      }
    }

    @Override
    public void cancel() {
      isStopped = true;
    }

    @Override
    public void notifyCheckpointComplete(long checkpointID) {
      completed.incrementAndGet();
    }
  }
}
