package io.tenantanalytics.flinkhost.source;

import io.tenantanalytics.flinkhost.sink.SinkRow;
import io.tenantanalytics.flinkhost.sink.StreamSinks;
import org.apache.flink.api.common.JobID;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Streams of Kinesis as sources and sinks: all that the rest of the job knows of the connector. It is the older one
 * (FlinkKinesisConsumer): of the newer KinesisStreamsSource there is no version yet that can be had for this Flink and reads by
 * subscription.
 */
public final class KinesisConnector {
  private KinesisConnector() {}

  /**
   * The records of a stream, without watermarks: these are made behind it, from {@link #tips}, by an operator that is chained
   * to it.
   *
   * <p>LATEST is resolved here, to the time of this call. It is part of the job graph, and of the state from the first
   * checkpoint on, so that an attempt that ended before it had read anything loses nothing. Shards born later are read from
   * their beginning.
   */
  @SuppressWarnings("deprecation")
  public static DataStream<SourceRecord> source(StreamExecutionEnvironment environment, StreamSource source) {
    Long start = null;
    if (source.initialPosition == StreamSource.InitialPosition.LATEST) start = System.currentTimeMillis();
    if (source.initialPosition == StreamSource.InitialPosition.AT_TIMESTAMP) start = source.initialTimestamp;
    SourceRecordSchema schema = new SourceRecordSchema(source.index, source.maxRecordBytes);
    ShardsSource shards =
        new ShardsSource(source, schema, start, KinesisSettings.discoveryMs(source), KinesisSettings.source(source, start));
    return environment.addSource(shards, source.id, SourceRecordTypeInfo.INSTANCE).uid("source-" + source.id);
  }

  /** Finds the tips of a source from the operator that is chained to it. */
  public static PartitionTips.Finder tips(String sourceId) {
    return new Finder(sourceId);
  }

  /** The sink at the end of a stream of rows; see {@link StreamSinks}. */
  public static DataStreamSink<SinkRow> attach(
      DataStream<SinkRow> rows, String id, String stream, String region, String endpoint) {
    return StreamSinks.attach(rows, id, stream, KinesisSettings.client(region, endpoint == null ? "" : endpoint.trim()));
  }

  private static final class Finder implements PartitionTips.Finder {
    private static final long serialVersionUID = 1L;
    private final String sourceId;

    private Finder(String sourceId) {
      this.sourceId = sourceId;
    }

    @Override
    public String sourceId() {
      return sourceId;
    }

    @Override
    public PartitionTips find(JobID job, int subtask) {
      return LiveTips.find(LiveTips.key(job, sourceId, subtask));
    }
  }
}
