package io.tenantanalytics.flinkhost.source;

import java.io.IOException;
import java.util.List;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** Hands all the files to the first reader: their order is that of the list. Its state is what no reader has. */
final class FileRecordsEnumerator implements SplitEnumerator<FileRecordsSplit, FileRecordsEnumerator.State> {
  private final SplitEnumeratorContext<FileRecordsSplit> context;
  private final List<InputFile> files;
  private FileRecordsSplit unassigned;
  private boolean isHandedOut;

  /** @param restored null at the first start */
  FileRecordsEnumerator(SplitEnumeratorContext<FileRecordsSplit> context, List<InputFile> files, State restored) {
    this.context = context;
    this.files = files;
    if (restored == null) return;
    unassigned = restored.unassigned;
    isHandedOut = unassigned == null;
  }

  @Override
  public void start() {
    if (unassigned == null && !isHandedOut) unassigned = beginning();
  }

  private FileRecordsSplit beginning() {
    long[] sizes = new long[files.size()];
    try {
      for (int file = 0; file < sizes.length; file++) {
        long known = files.get(file).size;
        sizes[file] = known == InputFile.SIZE_AT_START ? InputBytes.sizeOf(files.get(file).path) : known;
      }
    } catch (IOException error) {
      throw new IllegalStateException("Cannot begin to read the input files: " + error.getMessage(), error);
    }
    InputFile first = files.get(0);
    return new FileRecordsSplit(sizes, 0, first.startOffset, first.startLine);
  }

  @Override
  public void handleSplitRequest(int reader, String host) {
    if (reader == 0 && unassigned != null) {
      context.assignSplit(unassigned, 0);
      unassigned = null;
      isHandedOut = true;
    }
    context.signalNoMoreSplits(reader);
  }

  @Override
  public void addSplitsBack(List<FileRecordsSplit> splits, int reader) {
    for (FileRecordsSplit split : splits) unassigned = split;
    if (unassigned != null) isHandedOut = false;
  }

  @Override
  public void addReader(int reader) {
    // it asks when it has nothing to read
  }

  @Override
  public State snapshotState(long checkpointID) {
    return new State(unassigned);
  }

  @Override
  public void close() {
    // nothing is held open
  }

  /** What no reader has: the split, or nothing. */
  static final class State {
    final FileRecordsSplit unassigned;

    State(FileRecordsSplit unassigned) {
      this.unassigned = unassigned;
    }
  }

  static final class StateSerializer implements SimpleVersionedSerializer<State> {
    private final FileRecordsSplit.Serializer splits = new FileRecordsSplit.Serializer();

    @Override
    public int getVersion() {
      return splits.getVersion();
    }

    @Override
    public byte[] serialize(State state) throws IOException {
      return state.unassigned == null ? new byte[0] : splits.serialize(state.unassigned);
    }

    @Override
    public State deserialize(int version, byte[] serialized) throws IOException {
      return new State(serialized.length == 0 ? null : splits.deserialize(version, serialized));
    }
  }
}
