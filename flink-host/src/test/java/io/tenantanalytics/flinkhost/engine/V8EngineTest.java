package io.tenantanalytics.flinkhost.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Test;

class V8EngineTest extends ScriptEngineContract {
  @Override
  String kind() {
    return "v8";
  }

  @Override
  Set<String> newerThanTheLanguageOf2022() {
    return Set.of("AsyncDisposableStack", "DisposableStack", "Float16Array", "Iterator", "SuppressedError", "Temporal");
  }

  @Test
  void endsAScriptThatFillsItsHeapBeforeThatEndsTheProcess() {
    ScriptEngine other = open();
    ScriptEngine engine = open();
    ScriptException failed = assertThrows(ScriptException.class, () -> engine.call("fillHeap", ""));
    assertEquals("The script used more than its 64 MB of memory, and was ended.", failed.getMessage());
    assertTrue(failed.engineLost());
    assertEquals("going on", other.call("echo", "going on"));
  }

  @Test
  void countsArrayBuffersAsMemoryOfTheScript() {
    ScriptEngine engine = open();
    ScriptException failed =
        assertThrows(
            ScriptException.class,
            () -> {
              while (true) {
                // Counted once a second.
                Thread.sleep(200);
                engine.call("fillBuffers", "8000000");
              }
            });
    assertTrue(failed.getMessage().startsWith("The script used more than its 64 MB"), failed.getMessage());
  }

  @Test
  void aHeapLimitIsOfOneEngine() {
    ScriptEngine engine = open();
    try (ScriptEngine larger =
        ScriptEngines.open("v8", bundle(), "bundle.js", Duration.ofSeconds(60), 2L << 30, warning -> {})) {
      assertEquals(2L << 30, larger.heapLimit());
      assertEquals(HEAP, engine.heapLimit());
      assertTrue(engine.heapUsed() > 0 && engine.heapUsed() < HEAP);
    }
  }
}
