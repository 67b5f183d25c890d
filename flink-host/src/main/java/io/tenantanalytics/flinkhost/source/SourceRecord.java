package io.tenantanalytics.flinkhost.source;

/** One record as a source delivers it, before anything has looked into it. */
public final class SourceRecord {
  /** Which source of the graph it is of, by its place in the graph's list. */
  public final int source;

  /** The shard's id; null for a file. */
  public final String partition;

  /** The shard's sequence number, or the file's physical line, from 1. */
  public final String sequenceNumber;

  /** Position inside a KPL aggregate; -1 for a record of its own. */
  public final int subSequence;

  /** Epoch milliseconds. */
  public final long arrivalTime;

  /** The record; of one beyond the size limit only its head, so many bytes as the limit. */
  public final byte[] bytes;

  /** How many bytes the record has; more than {@code bytes} when it is beyond the limit. */
  public final int size;

  public SourceRecord(
      int source, String partition, String sequenceNumber, int subSequence, long arrivalTime, byte[] bytes, int size) {
    this.source = source;
    this.partition = partition;
    this.sequenceNumber = sequenceNumber;
    this.subSequence = subSequence;
    this.arrivalTime = arrivalTime;
    this.bytes = bytes;
    this.size = size;
  }
}
