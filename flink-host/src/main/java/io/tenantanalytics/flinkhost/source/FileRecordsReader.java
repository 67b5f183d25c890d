package io.tenantanalytics.flinkhost.source;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.metrics.Counter;

/** Reads the files one after the other, in the task's own thread. */
final class FileRecordsReader implements SourceReader<SourceRecord, FileRecordsSplit> {
  /** Records handed on before the task looks up for barriers and timers. */
  private static final int RECORDS_PER_POLL = 256;

  private final SourceReaderContext context;
  private final List<InputFile> files;
  private final Counter recordsIn;
  private final Counter bytesIn;
  private final CompletableFuture<Void> assigned = new CompletableFuture<>();
  private boolean isRequestAnswered;

  private long[] sizes;
  private int file;
  private long offset;
  private long line;

  /** Of the file that is read; null before its first line is asked for. */
  private LineCutter cutter;

  FileRecordsReader(SourceReaderContext context, List<InputFile> files) {
    this.context = context;
    this.files = files;
    this.recordsIn = context.metricGroup().getIOMetricGroup().getNumRecordsInCounter();
    this.bytesIn = context.metricGroup().getIOMetricGroup().getNumBytesInCounter();
  }

  @Override
  public void start() {
    if (sizes == null) context.sendSplitRequest();
  }

  @Override
  public void addSplits(List<FileRecordsSplit> splits) {
    for (FileRecordsSplit split : splits) {
      if (split.sizes.length != files.size()) {
        throw new IllegalStateException("Expected the " + split.sizes.length + " input files this run began with, got "
            + files.size() + ". Go on with the same files, or begin anew without the checkpoint.");
      }
      sizes = split.sizes;
      file = split.file;
      offset = split.offset;
      line = split.line;
      assigned.complete(null);
    }
  }

  @Override
  public void notifyNoMoreSplits() {
    isRequestAnswered = true;
    assigned.complete(null);
  }

  @Override
  public CompletableFuture<Void> isAvailable() {
    return assigned;
  }

  @Override
  public InputStatus pollNext(ReaderOutput<SourceRecord> output) throws IOException {
    if (sizes == null) return isRequestAnswered ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
    if (file == files.size()) return InputStatus.END_OF_INPUT;
    InputFile input = files.get(file);
    if (cutter == null) cutter = open(input);
    long before = cutter.offset();
    int records = 0;
    LineCutter.Step step = LineCutter.Step.NONE_YET;
    while (records < RECORDS_PER_POLL && (step = cutter.next()) == LineCutter.Step.RECORD) {
      records++;
      output.collect(new SourceRecord(
          input.source, null, Long.toString(cutter.line()), -1, input.arrivalTime, cutter.bytes(), cutter.size()));
    }
    recordsIn.inc(records);
    bytesIn.inc(cutter.offset() - before);
    if (step == LineCutter.Step.ENDED) goToNextFile();
    return InputStatus.MORE_AVAILABLE;
  }

  private LineCutter open(InputFile input) throws IOException {
    return new LineCutter(
        InputBytes.open(input.path, input.gzip, sizes[file], offset), offset, line, input.maxRecordBytes);
  }

  private void goToNextFile() throws IOException {
    cutter.close();
    cutter = null;
    file++;
    boolean isLast = file == files.size();
    offset = isLast ? 0 : files.get(file).startOffset;
    line = isLast ? 0 : files.get(file).startLine;
  }

  /** Also at the end: a reader without a split would ask for one, and begin again. */
  @Override
  public List<FileRecordsSplit> snapshotState(long checkpointID) {
    if (sizes == null) return List.of();
    boolean isOpen = cutter != null;
    return List.of(
        new FileRecordsSplit(sizes, file, isOpen ? cutter.offset() : offset, isOpen ? cutter.line() : line));
  }

  @Override
  public void close() throws IOException {
    if (cutter != null) cutter.close();
  }
}
