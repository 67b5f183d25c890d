package io.tenantanalytics.flinkhost.source;

import java.io.Serializable;

/** One file of lines to read, as {@link FileRecordsSource} is told. */
public final class InputFile implements Serializable {
  private static final long serialVersionUID = 1L;

  /** {@link #size} of a file that is as long as it is when the job starts. */
  public static final long SIZE_AT_START = -1;

  /** Which source of the graph its records are of. */
  public final int source;

  /** A path of this machine, {@code file:…}, or one of another file system that Flink has. */
  public final String path;

  public final boolean gzip;

  /** Of all its records; epoch milliseconds. */
  public final long arrivalTime;

  /** Where its first record begins, after a header: an offset in the (uncompressed) file, and the lines before it. */
  public final long startOffset;

  public final long startLine;

  public final int maxRecordBytes;

  /** Bytes to read of the file, as it lies on disk; what is added to it later is not read. */
  public final long size;

  public InputFile(
      int source,
      String path,
      boolean gzip,
      long arrivalTime,
      long startOffset,
      long startLine,
      int maxRecordBytes,
      long size) {
    if (path.isEmpty()) throw new IllegalArgumentException("An input file has an empty path; name the file.");
    if (maxRecordBytes < 1 || maxRecordBytes == Integer.MAX_VALUE) {
      throw new IllegalArgumentException(path + ": expected a record limit of 1 to 2147483646 bytes, got " + maxRecordBytes);
    }
    this.source = source;
    this.path = path;
    this.gzip = gzip;
    this.arrivalTime = arrivalTime;
    this.startOffset = startOffset;
    this.startLine = startLine;
    this.maxRecordBytes = maxRecordBytes;
    this.size = size;
  }

  public InputFile(
      int source, String path, boolean gzip, long arrivalTime, long startOffset, long startLine, int maxRecordBytes) {
    this(source, path, gzip, arrivalTime, startOffset, startLine, maxRecordBytes, SIZE_AT_START);
  }
}
