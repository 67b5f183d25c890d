package io.tenantanalytics.flinkhost.sink;

import java.net.URI;
import java.time.Duration;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.flink.api.common.serialization.Encoder;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.functions.sink.filesystem.BucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.OutputFileConfig;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.SimpleVersionedStringSerializer;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.DefaultRollingPolicy;

/**
 * Rows as files or S3 objects, each row in exactly one that is committed: {@code <path>/<partition>/part-<random
 * id>-<n>.<extension>}. A part is complete when it has reached a size or an age, or when the input ends, and not because of a
 * checkpoint; it becomes visible with the checkpoint after that. Until then it is hidden: a name with a dot before it in a
 * folder, an upload that is not completed in a bucket.
 */
public final class ObjectSinks {
  private static final Set<String> SCHEMES = Set.of("file", "s3", "s3a");
  private static final Pattern EXTENSION = Pattern.compile("[a-z][a-z0-9]{0,15}");

  /** One folder; readers leave out names that begin with a dot or an underscore. */
  private static final Pattern PARTITION = Pattern.compile("[A-Za-z0-9][A-Za-z0-9=_.-]{0,127}");

  /** How often the age of parts is looked at: this share of the age, within these bounds. */
  private static final long AGE_CHECKS = 10;

  private static final long AGE_CHECK_MS_MIN = 100;
  private static final long AGE_CHECK_MS_MAX = 60_000;

  private ObjectSinks() {}

  /**
   * @param path {@code file:///…}, {@code s3://bucket/prefix} or {@code s3a://…}; the latter two need Flink's S3 plugin
   * @param extension without a dot
   * @param rollBytes a part that has reached it is complete
   * @param rollAgeMs a part that is so old is complete
   */
  public static FileSink<SinkRow> open(String path, String extension, long rollBytes, long rollAgeMs) {
    if (!EXTENSION.matcher(extension).matches()) {
      throw new IllegalArgumentException("Expected a file extension such as jsonl, without a dot, got \"" + extension + "\".");
    }
    if (rollBytes < 1 || rollAgeMs < 1) {
      throw new IllegalArgumentException("Expected parts to be rolled at 1 byte and 1 ms or more, got " + rollBytes
          + " bytes and " + rollAgeMs + " ms.");
    }
    long ageCheckMs = Math.max(AGE_CHECK_MS_MIN, Math.min(rollAgeMs / AGE_CHECKS, AGE_CHECK_MS_MAX));
    return FileSink.forRowFormat(checked(path), (Encoder<SinkRow>) (row, stream) -> stream.write(row.bytes))
        .withBucketAssigner(new ByPartition())
        .withRollingPolicy(
            DefaultRollingPolicy.builder()
                .withMaxPartSize(new MemorySize(rollBytes))
                .withRolloverInterval(Duration.ofMillis(rollAgeMs))
                .withInactivityInterval(Duration.ofMillis(Long.MAX_VALUE))
                .build())
        .withBucketCheckInterval(ageCheckMs)
        .withOutputFileConfig(OutputFileConfig.builder().withPartPrefix("part").withPartSuffix("." + extension).build())
        .build();
  }

  /** The sink at the end of a stream, its state under {@code uid}. */
  public static DataStreamSink<SinkRow> attach(
      DataStream<SinkRow> rows, String uid, String path, String extension, long rollBytes, long rollAgeMs) {
    return rows.sinkTo(open(path, extension, rollBytes, rollAgeMs)).uid(uid).name(uid);
  }

  private static Path checked(String path) {
    String wanted = "file:///folder or s3://bucket/prefix";
    if (path == null || path.isBlank()) {
      throw new IllegalArgumentException("The path of a sink is empty; expected " + wanted + ".");
    }
    URI uri;
    try {
      uri = new Path(path).toUri();
    } catch (IllegalArgumentException error) {
      throw new IllegalArgumentException("Expected a sink's path such as " + wanted + ", got " + path + ".", error);
    }
    String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
    boolean isLocal = scheme.equals("file");
    boolean isWhole = isLocal ? uri.getPath().startsWith("/") : uri.getHost() != null || uri.getAuthority() != null;
    if (!SCHEMES.contains(scheme) || !isWhole) {
      throw new IllegalArgumentException("Expected a sink's path such as " + wanted + ", got " + path + ".");
    }
    return new Path(uri);
  }

  private static final class ByPartition implements BucketAssigner<SinkRow, String> {
    private static final long serialVersionUID = 1L;

    /** The last partition that was looked at: most rows are of the same few. */
    private transient String known;

    @Override
    public String getBucketId(SinkRow row, Context context) {
      if (row.partition.equals(known)) return known;
      if (!PARTITION.matcher(row.partition).matches()) {
        throw new IllegalArgumentException("Expected the partition of a row to be the name of one folder (letters, digits and"
            + " = _ . -, up to 128, a letter or digit first), got \"" + row.partition + "\".");
      }
      known = row.partition;
      return known;
    }

    @Override
    public SimpleVersionedSerializer<String> getSerializer() {
      return SimpleVersionedStringSerializer.INSTANCE;
    }
  }
}
