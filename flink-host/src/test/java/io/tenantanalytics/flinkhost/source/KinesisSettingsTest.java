package io.tenantanalytics.flinkhost.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Properties;
import org.apache.flink.streaming.connectors.kinesis.util.KinesisConfigUtil;
import org.junit.jupiter.api.Test;

class KinesisSettingsTest {
  private static StreamSource source(String endpoint, StreamSource.Consumer consumer, String applicationName) {
    return new StreamSource(
        0, "jobs", "bigdatajobs", "us-west-2", endpoint, StreamSource.InitialPosition.LATEST, 0, consumer, applicationName, 100,
        false, List.of(), 0);
  }

  @Test
  void aTimeToBeginAtIsReadBackToTheMillisecond() {
    for (long time : new long[] {0, 1, 1_700_000_000_123L, 1_764_000_000_999L}) {
      Properties properties = KinesisSettings.source(source("", StreamSource.Consumer.POLLING, "app"), time);
      assertEquals("AT_TIMESTAMP", properties.getProperty("flink.stream.initpos"));
      assertEquals(time, KinesisConfigUtil.parseStreamTimestampStartingPosition(properties).getTime());
    }
    Properties beginning = KinesisSettings.source(source("", StreamSource.Consumer.POLLING, "app"), null);
    assertEquals("TRIM_HORIZON", beginning.getProperty("flink.stream.initpos"));
  }

  @Test
  void onAwsTheCredentialsAreThoseOfTheApplication() {
    Properties properties = KinesisSettings.client("eu-west-1", "");
    assertEquals("eu-west-1", properties.getProperty("aws.region"));
    assertEquals(1, properties.size());
    Properties ofAnEndpoint = KinesisSettings.client("eu-west-1", "https://kinesis.example.com");
    assertEquals("https://kinesis.example.com", ofAnEndpoint.getProperty("aws.endpoint"));
    assertNull(ofAnEndpoint.getProperty("aws.credentials.provider"));
    assertNull(ofAnEndpoint.getProperty("aws.http.protocol.version"));
  }

  @Test
  void aLocalKinesisIsSpokenToWithoutTlsAndWithoutRealCredentials() {
    for (String host : new String[] {"127.0.0.1", "localhost", "[::1]"}) {
      Properties properties = KinesisSettings.client("us-west-2", "http://" + host + ":4568");
      assertEquals("BASIC", properties.getProperty("aws.credentials.provider"));
      assertEquals("local", properties.getProperty("aws.credentials.provider.basic.accesskeyid"));
      assertEquals("HTTP1_1", properties.getProperty("aws.http.protocol.version"));
    }
    Properties container = KinesisSettings.client("us-west-2", "http://kinesis:4568");
    assertNull(container.getProperty("aws.credentials.provider"));
    assertEquals("HTTP1_1", container.getProperty("aws.http.protocol.version"));
  }

  @Test
  void anEndpointThatIsNoAddressIsRefusedByItsName() {
    for (String endpoint : new String[] {"kinesis", "127.0.0.1:4568", "ftp://kinesis", "http://"}) {
      Exception error = assertThrows(IllegalArgumentException.class, () -> KinesisSettings.client("us-west-2", endpoint));
      assertTrue(error.getMessage().startsWith("aws.endpoint: expected an address such as http://127.0.0.1:4568"), endpoint);
    }
  }

  @Test
  void aConsumerIsNamedAfterItsApplicationAndSource() {
    assertEquals(
        "company-job-processing-jobs",
        KinesisSettings.consumerName(source("", StreamSource.Consumer.EFO, "company-job-processing")));
    assertEquals("my-app-2--jobs", KinesisSettings.consumerName(source("", StreamSource.Consumer.EFO, "my app (2)")));
    String longest = KinesisSettings.consumerName(source("", StreamSource.Consumer.EFO, "a".repeat(300)));
    assertEquals(128, longest.length());
    assertTrue(longest.endsWith("-jobs"));
    Properties polling = KinesisSettings.source(source("", StreamSource.Consumer.POLLING, "app"), null);
    assertFalse(polling.containsKey("flink.stream.efo.consumername"));
  }
}
