package io.tenantanalytics.flinkhost.source;

import java.util.List;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * The lines of files, one file after the other in the order of the list: what an earlier one holds is known before the first
 * record of a later one. One reader reads them all, so its operator has parallelism 1; readers beyond the first end at once.
 */
public final class FileRecordsSource
    implements Source<SourceRecord, FileRecordsSplit, FileRecordsEnumerator.State>, ResultTypeQueryable<SourceRecord> {
  private static final long serialVersionUID = 1L;

  /** An array: Java serializes it without knowing the class of a list. */
  private final InputFile[] files;

  public FileRecordsSource(List<InputFile> files) {
    if (files.isEmpty()) throw new IllegalArgumentException("Expected at least one input file, got none.");
    this.files = files.toArray(new InputFile[0]);
  }

  @Override
  public Boundedness getBoundedness() {
    return Boundedness.BOUNDED;
  }

  @Override
  public SourceReader<SourceRecord, FileRecordsSplit> createReader(SourceReaderContext context) {
    return new FileRecordsReader(context, List.of(files));
  }

  @Override
  public SplitEnumerator<FileRecordsSplit, FileRecordsEnumerator.State> createEnumerator(
      SplitEnumeratorContext<FileRecordsSplit> context) {
    return new FileRecordsEnumerator(context, List.of(files), null);
  }

  @Override
  public SplitEnumerator<FileRecordsSplit, FileRecordsEnumerator.State> restoreEnumerator(
      SplitEnumeratorContext<FileRecordsSplit> context, FileRecordsEnumerator.State restored) {
    return new FileRecordsEnumerator(context, List.of(files), restored);
  }

  @Override
  public SimpleVersionedSerializer<FileRecordsSplit> getSplitSerializer() {
    return new FileRecordsSplit.Serializer();
  }

  @Override
  public SimpleVersionedSerializer<FileRecordsEnumerator.State> getEnumeratorCheckpointSerializer() {
    return new FileRecordsEnumerator.StateSerializer();
  }

  @Override
  public TypeInformation<SourceRecord> getProducedType() {
    return SourceRecordTypeInfo.INSTANCE;
  }
}
