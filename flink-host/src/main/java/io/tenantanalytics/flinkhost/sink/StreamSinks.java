package io.tenantanalytics.flinkhost.sink;

import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFilterFunction;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.connector.kinesis.sink.KinesisStreamsSink;
import org.apache.flink.metrics.Counter;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Rows as records of a stream, at least once: the partition key is the row's partition. Rows of one key leave in their order;
 * one that the stream refuses (throttling) is sent again, behind rows that it took meanwhile. Who needs the order of a key
 * looks at what the rows say of it.
 */
public final class StreamSinks {
  private static final int REQUEST_ROWS = 500;

  /** A record's data and key together. */
  private static final int RECORD_BYTES = 1024 * 1024;

  /** What PutRecords takes is counted with the keys, of up to 256 characters each; the connector counts data alone. */
  private static final int REQUEST_BYTES = 5 * 1024 * 1024 - REQUEST_ROWS * 1024;

  /** More rows than these wait in front of the sink. */
  private static final int WAITING_ROWS = 5_000;

  private static final long WAIT_MS = 100;

  private StreamSinks() {}

  /**
   * @param id names the operators' state: {@code sink-<id>} and {@code fitting-<id>}
   * @param client region, endpoint and credentials, in the connector's words
   */
  @SuppressWarnings("deprecation")
  public static DataStreamSink<SinkRow> attach(DataStream<SinkRow> rows, String id, String stream, Properties client) {
    KinesisStreamsSink<SinkRow> sink =
        KinesisStreamsSink.<SinkRow>builder()
            .setStreamName(stream)
            .setKinesisClientProperties(client)
            .setSerializationSchema((SerializationSchema<SinkRow>) row -> row.bytes)
            .setPartitionKeyGenerator(row -> row.partition)
            // Else a throttled row would end the job.
            .setFailOnError(false)
            .setMaxInFlightRequests(1)
            .setMaxBatchSize(REQUEST_ROWS)
            .setMaxBatchSizeInBytes(REQUEST_BYTES)
            .setMaxBufferedRequests(WAITING_ROWS)
            .setMaxTimeInBufferMS(WAIT_MS)
            .setMaxRecordSizeInBytes(RECORD_BYTES)
            .build();
    return rows.filter(new Fitting(stream)).name(id + ": fitting rows").uid("fitting-" + id).sinkTo(sink).name(id).uid("sink-" + id);
  }

  /** A row that no request can carry would end the job, again and again; it is passed over and counted. */
  static final class Fitting extends RichFilterFunction<SinkRow> {
    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(StreamSinks.class);
    private final String stream;
    private transient Counter tooLarge;

    Fitting(String stream) {
      this.stream = stream;
    }

    @Override
    public void open(OpenContext context) {
      tooLarge = getRuntimeContext().getMetricGroup().addGroup("kinesisanalytics").addGroup("stream", stream).counter("tenant_analytics_rows_too_large_total");
    }

    @Override
    public boolean filter(SinkRow row) {
      if (fits(row)) return true;
      if (tooLarge.getCount() == 0) {
        LOG.warn("A row for stream {} has more than {} bytes and is not sent; object sinks still get it. It and others"
            + " are counted (tenant_analytics_rows_too_large_total).", stream, RECORD_BYTES);
      }
      tooLarge.inc();
      return false;
    }

    static boolean fits(SinkRow row) {
      return row.bytes.length + row.partition.getBytes(StandardCharsets.UTF_8).length <= RECORD_BYTES;
    }
  }
}
