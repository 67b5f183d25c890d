package io.tenantanalytics.flinkhost.source;

/** One stream to read, and how. */
public final class StreamSource {
  /** The place of the source in the graph's list. */
  final int index;

  /** Names the operator, its state and its consumer: it stays the same over versions of the graph. */
  final String id;

  final String stream;
  final String region;

  /** Blank for that of the region. */
  final String endpoint;

  final InitialPosition initialPosition;

  /** Epoch milliseconds; only for {@link InitialPosition#AT_TIMESTAMP}. */
  final long initialTimestamp;

  final Consumer consumer;

  /** Two applications with one name must not read one stream with {@link Consumer#EFO}: they would take it from each other. */
  final String applicationName;

  final int maxRecordBytes;

  public enum InitialPosition {
    LATEST,
    TRIM_HORIZON,
    AT_TIMESTAMP
  }

  public enum Consumer {
    POLLING,
    EFO
  }

  public StreamSource(
      int index,
      String id,
      String stream,
      String region,
      String endpoint,
      InitialPosition initialPosition,
      long initialTimestamp,
      Consumer consumer,
      String applicationName,
      int maxRecordBytes) {
    if (maxRecordBytes < 1) throw new IllegalArgumentException("Expected maxRecordBytes to be 1 or more, got " + maxRecordBytes + ".");
    if (initialPosition == InitialPosition.AT_TIMESTAMP && initialTimestamp < 0) {
      throw new IllegalArgumentException("Expected a time to read " + stream + " from, in epoch milliseconds, got " + initialTimestamp + ".");
    }
    this.index = index;
    this.id = id;
    this.stream = stream;
    this.region = region;
    this.endpoint = endpoint == null ? "" : endpoint.trim();
    this.initialPosition = initialPosition;
    this.initialTimestamp = initialTimestamp;
    this.consumer = consumer;
    this.applicationName = applicationName;
    this.maxRecordBytes = maxRecordBytes;
  }
}
