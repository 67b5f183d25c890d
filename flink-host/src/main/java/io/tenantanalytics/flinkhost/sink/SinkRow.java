package io.tenantanalytics.flinkhost.sink;

/** Encoded rows for one sink: lines of one partition of an object sink, or one record of a stream. */
public final class SinkRow {
  /** The folder under the sink's path ({@code dt=2026-11-22}), or the stream's partition key. */
  public final String partition;

  /** Whole lines with their line feeds, or the record without one. */
  public final byte[] bytes;

  public SinkRow(String partition, byte[] bytes) {
    this.partition = partition;
    this.bytes = bytes;
  }
}
