package io.tenantanalytics.flinkhost.source;

import java.util.ArrayList;
import java.util.List;

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

  /** Sources that are read to their tip before this one begins; empty: it is one of them, or there are none. */
  final List<String> after;

  /** Others wait for it. */
  final boolean isFirst;

  /** For how long it waits for them, at the most. */
  final long afterMs;

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
      int maxRecordBytes,
      boolean isFirst,
      List<String> after,
      long afterMs) {
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
    this.isFirst = isFirst;
    this.after = new ArrayList<>(after);
    this.afterMs = afterMs;
  }
}
