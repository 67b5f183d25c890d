package io.tenantanalytics.flinkhost;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class MainTest {
  @Test
  void withoutArgumentsCheckpointsParallelismAndStateAreTheClusters() {
    assertEquals(
        Set.of("pipeline.generic-types", "execution.checkpointing.tolerable-failed-checkpoints"),
        Main.configuration(Map.of()).keySet());
  }

  @Test
  void withArgumentsTheyAreThose() {
    Map<String, String> set =
        Main.configuration(Map.of("parallelism", "3", "checkpoint-interval-ms", "500")).toMap();
    assertEquals("3", set.get("parallelism.default"));
    assertEquals("500 ms", set.get("execution.checkpointing.interval"));
  }

  @Test
  void withoutPropertiesItSaysWhereTheyAreExpected() {
    String message = refusal();
    assertTrue(message.contains("expected property groups in /etc/flink/application_properties.json, got"), message);
    assertTrue(message.contains("--properties-file FILE"), message);
    assertTrue(refusal("--properties-file", "/no/such/file").contains("in /no/such/file, got no such file."));
  }

  @Test
  void wrongArgumentsAreNamed() {
    assertTrue(refusal("--mode").contains("expected --name value, got --mode"));
    assertTrue(refusal("--mode", "both").contains("--mode: expected run or replay, got both"));
  }

  private static String refusal(String... args) {
    return assertThrows(IllegalArgumentException.class, () -> Main.main(args)).getMessage();
  }
}
