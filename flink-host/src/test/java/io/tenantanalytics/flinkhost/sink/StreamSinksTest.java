package io.tenantanalytics.flinkhost.sink;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class StreamSinksTest {
  @Test
  void aRowFitsWithItsKeyUpToAMebibyte() {
    assertTrue(StreamSinks.Fitting.fits(new SinkRow("comp_1", new byte[1024 * 1024 - 6])));
    assertFalse(StreamSinks.Fitting.fits(new SinkRow("comp_1", new byte[1024 * 1024 - 5])));
    assertFalse(StreamSinks.Fitting.fits(new SinkRow("é", new byte[1024 * 1024 - 1])));
  }
}
