package io.tenantanalytics.flinkhost.source;

import static org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.EFO_CONSUMER_NAME;
import static org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.EFO_REGISTRATION_TYPE;
import static org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.RECORD_PUBLISHER_TYPE;
import static org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.SHARD_DISCOVERY_INTERVAL_MILLIS;
import static org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.SHARD_GETRECORDS_INTERVAL_MILLIS;
import static org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.STREAM_INITIAL_POSITION;
import static org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.STREAM_INITIAL_TIMESTAMP;
import static org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.SUBSCRIBE_TO_SHARD_BACKOFF_MAX;
import static org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.SUBSCRIBE_TO_SHARD_RETRIES;

import java.net.URI;
import java.net.URISyntaxException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Properties;
import java.util.regex.Pattern;
import org.apache.flink.kinesis.shaded.org.apache.flink.connector.aws.config.AWSConfigConstants;
import org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.EFORegistrationType;
import org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.InitialPosition;
import org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants.RecordPublisherType;

/** Settings in the connector's words. */
final class KinesisSettings {
  private static final DateTimeFormatter TIMESTAMP =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", Locale.ROOT).withZone(ZoneOffset.UTC);

  /** Each subtask lists the shards of each stream so often. */
  private static final long DISCOVERY_MS = 10_000;

  private static final long LOCAL_DISCOVERY_MS = 1_000;

  /** GetRecords may be asked five times a second for each shard. */
  private static final long READ_INTERVAL_MS = 200;

  /** An outage of subscriptions is waited for about five minutes before the job starts again. */
  private static final int SUBSCRIBE_RETRIES = 60;

  private static final long SUBSCRIBE_BACKOFF_MS_MAX = 10_000;

  private static final Pattern NOT_IN_NAMES = Pattern.compile("[^a-zA-Z0-9_.-]+");
  private static final int NAME_CHARACTERS = 128;
  private static final Pattern LOOPBACK = Pattern.compile("localhost|.+\\.localhost|127\\.[\\d.]+|\\[::1\\]");

  private KinesisSettings() {}

  /** Region, endpoint and credentials, for sources and sinks alike. */
  static Properties client(String region, String endpoint) {
    Properties properties = new Properties();
    properties.setProperty(AWSConfigConstants.AWS_REGION, region);
    // The chain of the SDK, unless another is set: on AWS the role of the application.
    if (endpoint.isEmpty()) return properties;
    URI address = address(endpoint);
    properties.setProperty(AWSConfigConstants.AWS_ENDPOINT, endpoint);
    if (!isPlain(address)) return properties;
    // Without TLS there is no HTTP/2 that the SDK could agree on.
    properties.setProperty(AWSConfigConstants.HTTP_PROTOCOL_VERSION, "HTTP1_1");
    if (LOOPBACK.matcher(address.getHost()).matches()) {
      // A local Kinesis looks at none, but the SDK sends nothing without; and none that is real belongs into a job graph.
      String provider = AWSConfigConstants.AWS_CREDENTIALS_PROVIDER;
      properties.setProperty(provider, AWSConfigConstants.CredentialProvider.BASIC.name());
      properties.setProperty(AWSConfigConstants.accessKeyId(provider), "local");
      properties.setProperty(AWSConfigConstants.secretKey(provider), "local");
    }
    return properties;
  }

  /** @param start epoch milliseconds; null: from the beginning of the stream */
  static Properties source(StreamSource source, Long start) {
    Properties properties = client(source.region, source.endpoint);
    properties.setProperty(
        STREAM_INITIAL_POSITION, (start == null ? InitialPosition.TRIM_HORIZON : InitialPosition.AT_TIMESTAMP).name());
    if (start != null) properties.setProperty(STREAM_INITIAL_TIMESTAMP, timestamp(start));
    properties.setProperty(SHARD_DISCOVERY_INTERVAL_MILLIS, Long.toString(discoveryMs(source)));
    properties.setProperty(SHARD_GETRECORDS_INTERVAL_MILLIS, Long.toString(READ_INTERVAL_MS));
    if (source.consumer == StreamSource.Consumer.POLLING) return properties;
    properties.setProperty(RECORD_PUBLISHER_TYPE, RecordPublisherType.EFO.name());
    // By the subtasks: who submits the job need not be allowed to.
    properties.setProperty(EFO_REGISTRATION_TYPE, EFORegistrationType.LAZY.name());
    properties.setProperty(EFO_CONSUMER_NAME, consumerName(source));
    properties.setProperty(SUBSCRIBE_TO_SHARD_RETRIES, Integer.toString(SUBSCRIBE_RETRIES));
    properties.setProperty(SUBSCRIBE_TO_SHARD_BACKOFF_MAX, Long.toString(SUBSCRIBE_BACKOFF_MS_MAX));
    return properties;
  }

  static long discoveryMs(StreamSource source) {
    return !source.endpoint.isEmpty() && isPlain(address(source.endpoint)) ? LOCAL_DISCOVERY_MS : DISCOVERY_MS;
  }

  static String consumerName(StreamSource source) {
    String name = NOT_IN_NAMES.matcher(source.applicationName + "-" + source.id).replaceAll("-");
    return name.length() > NAME_CHARACTERS ? name.substring(name.length() - NAME_CHARACTERS) : name;
  }

  static String timestamp(long epochMs) {
    return TIMESTAMP.format(Instant.ofEpochMilli(epochMs));
  }

  private static boolean isPlain(URI address) {
    return address.getScheme().equalsIgnoreCase("http");
  }

  private static URI address(String endpoint) {
    URI address = null;
    try {
      address = new URI(endpoint);
    } catch (URISyntaxException error) {
      // told below
    }
    boolean isWhole = address != null && address.getScheme() != null && address.getHost() != null;
    if (isWhole && address.getScheme().toLowerCase(Locale.ROOT).matches("https?")) return address;
    throw new IllegalArgumentException(
        "aws.endpoint: expected an address such as http://127.0.0.1:4568, got \"" + endpoint
            + "\". Leave it out for Kinesis of AWS.");
  }
}
