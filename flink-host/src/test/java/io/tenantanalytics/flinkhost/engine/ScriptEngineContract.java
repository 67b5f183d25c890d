package io.tenantanalytics.flinkhost.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What holds for every engine. */
abstract class ScriptEngineContract {
  /** Long enough for a busy machine to get through a call that ends; a script that does not end takes this long. */
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private static final Duration SHORT = Duration.ofSeconds(3);
  static final long HEAP = 64L << 20;

  private final List<ScriptEngine> opened = new ArrayList<>();

  abstract String kind();

  static String bundle() {
    try (InputStream in = ScriptEngineContract.class.getResourceAsStream("bundle.js")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException failed) {
      throw new AssertionError(failed);
    }
  }

  ScriptEngine open() {
    return open(bundle(), LIMIT);
  }

  ScriptEngine open(String source, Duration limit) {
    ScriptEngine engine =
        ScriptEngines.open(kind(), source, "bundle.js", limit, HEAP, warning -> assertEquals("", warning));
    opened.add(engine);
    return engine;
  }

  /** With a limit that is soon reached; on a busy machine even loading may take that long, and is tried again. */
  private ScriptEngine openImpatient() {
    for (int tries = 1; ; tries++) {
      try {
        return open(bundle(), SHORT);
      } catch (ScriptException slow) {
        if (tries == 5 || !slow.getMessage().contains("did not end")) throw slow;
      }
    }
  }

  @AfterEach
  void closeAll() {
    opened.forEach(ScriptEngine::close);
  }

  static byte[] pattern(int length) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) bytes[i] = (byte) (i * 31 + length);
    return bytes;
  }

  static byte[] exchange(ScriptEngine engine, byte[] bytes) {
    engine.input(bytes.length).put(bytes);
    ByteBuffer answer = engine.exchange(bytes.length);
    byte[] copied = new byte[answer.remaining()];
    answer.get(copied);
    return copied;
  }

  @Test
  void namesItself() {
    assertEquals(kind(), open().name());
  }

  @Test
  void passesTextUnchanged() {
    ScriptEngine engine = open();
    for (String text : new String[] {"", "plain", "é 漢字 \uD83D\uDE00", "a\u0000b", "x".repeat(1_000_000)}) {
      assertEquals(text, engine.call("echo", text));
    }
  }

  @Test
  void exchangesBytesOfGrowingAndShrinkingSizes() {
    ScriptEngine engine = open();
    for (int size : new int[] {0, 1, 7, 8, 63, 64, 65, 4096, 10, 4000, 1_000_003, 5, 3_000_000, 0, 17}) {
      assertArrayEquals(pattern(size), exchange(engine, pattern(size)), "size " + size);
    }
  }

  @Test
  void followsAnOutputThatGrowsMoreThanTheInput() {
    ScriptEngine engine = open();
    engine.call("mode", "double");
    for (int size : new int[] {1, 64, 100, 50, 200_000, 3}) {
      byte[] answer = exchange(engine, pattern(size));
      assertEquals(2 * size, answer.length);
      assertArrayEquals(pattern(size), Arrays.copyOfRange(answer, size, 2 * size));
    }
  }

  @Test
  void givesAtLeastTheInputThatWasAskedFor() {
    ScriptEngine engine = open();
    assertTrue(engine.input(10).remaining() >= 10);
    ByteBuffer input = engine.input(100_000);
    assertTrue(input.remaining() >= 100_000);
    assertEquals(0, input.position());
    assertThrows(IllegalArgumentException.class, () -> engine.exchange(100_001 + input.capacity()));
  }

  @Test
  void buffersAreLittleEndian() {
    ScriptEngine engine = open();
    ByteBuffer input = engine.input(8);
    assertEquals(ByteOrder.LITTLE_ENDIAN, input.order());
    input.putInt(0x01020304);
    ByteBuffer output = engine.exchange(4);
    assertEquals(ByteOrder.LITTLE_ENDIAN, output.order());
    assertEquals(4, output.get(0));
    assertEquals(0x01020304, output.getInt());
  }

  @Test
  void hasRunPromiseJobsBeforeAnExchangeReturns() {
    ScriptEngine engine = open();
    engine.call("mode", "later");
    byte[] answer = exchange(engine, pattern(20));
    for (byte one : answer) assertEquals(9, one);
  }

  @Test
  void namesTheErrorThatTheScriptThrewAndWhere() {
    ScriptEngine engine = open();
    ScriptException failed = assertThrows(ScriptException.class, () -> engine.call("fail", "no such company"));
    assertTrue(failed.getMessage().startsWith("PlainError: no such company\n"), failed.getMessage());
    assertTrue(failed.getMessage().contains("failInside"), failed.getMessage());
    assertTrue(failed.getMessage().contains("bundle.js:"), failed.getMessage());
    assertFalse(failed.getMessage().contains("prelude"), failed.getMessage());
    assertFalse(failed.engineLost());
  }

  @Test
  void tellsTheCauseOfAnError() {
    ScriptEngine engine = open();
    String message = assertThrows(ScriptException.class, () -> engine.call("failWithCause", "")).getMessage();
    assertTrue(message.startsWith("PlainError: outer"), message);
    assertTrue(message.contains("caused by: RangeError: inner"), message);
  }

  @Test
  void tellsWhatWasThrownWhenItIsNoError() {
    ScriptEngine engine = open();
    String text = assertThrows(ScriptException.class, () -> engine.call("failWithText", "just text")).getMessage();
    assertEquals("something that is not an Error was thrown: just text", text);
    String nothing = assertThrows(ScriptException.class, () -> engine.call("failWithNothing", "")).getMessage();
    assertTrue(nothing.contains("an object that has no text"), nothing);
  }

  @Test
  void refusesAnswersThatAreNotOfTheContract() {
    ScriptEngine engine = open();
    String text = assertThrows(ScriptException.class, () -> engine.call("isText", "")).getMessage();
    assertTrue(text.contains("to return text, got number"), text);
    engine.call("mode", "tooMuch");
    String size = assertThrows(ScriptException.class, () -> engine.exchange(1)).getMessage();
    assertTrue(size.contains("expected host.exchange to return 0 to 0 bytes, got 1"), size);
  }

  @Test
  void goesOnAfterAnError() {
    ScriptEngine engine = open();
    engine.call("mode", "fail");
    ScriptException failed = assertThrows(ScriptException.class, () -> exchange(engine, pattern(100)));
    assertTrue(failed.getMessage().startsWith("PlainError: record of 100 bytes"), failed.getMessage());
    engine.call("mode", "echo");
    assertArrayEquals(pattern(100), exchange(engine, pattern(100)));
    assertEquals("1", engine.call("count", ""));
  }

  @Test
  void anEndlessRecursionIsAnErrorAndNotTheEndOfTheProcess() throws Exception {
    ScriptEngine engine = open();
    Thread small =
        new Thread(
            null,
            () -> {
              String message = assertThrows(ScriptException.class, () -> engine.call("recurse", "")).getMessage();
              assertTrue(message.startsWith("RangeError: Maximum call stack size exceeded"), message);
            },
            "as a task thread",
            1 << 20);
    Throwable[] failed = new Throwable[1];
    small.setUncaughtExceptionHandler((thread, thrown) -> failed[0] = thrown);
    small.start();
    small.join();
    if (failed[0] != null) throw new AssertionError(failed[0]);
    assertEquals("still there", engine.call("echo", "still there"));
  }

  @Test
  void aRejectionThatNobodyHandlesIsAnErrorOfTheCall() {
    ScriptEngine engine = open();
    String message = assertThrows(ScriptException.class, () -> engine.call("reject", "")).getMessage();
    assertTrue(message.startsWith("A promise was rejected and nobody handled it: PlainError: nobody listens"), message);
    assertEquals("handled", engine.call("rejectAndHandle", ""));
    assertEquals("1", engine.call("count", ""));
  }

  @Test
  void endsAScriptThatDoesNotEndAndLeavesTheOthersAlone() {
    ScriptEngine other = open();
    ScriptEngine engine = openImpatient();
    ScriptException failed = assertThrows(ScriptException.class, () -> engine.call("loop", ""));
    assertEquals("The script did not end within 3000 ms, and was ended.", failed.getMessage());
    assertTrue(failed.engineLost());
    assertEquals("going on", other.call("echo", "going on"));
    ScriptException closed = assertThrows(ScriptException.class, () -> engine.call("echo", "?"));
    assertEquals("The script engine is closed.", closed.getMessage());
    assertEquals("new", open().call("echo", "new"));
  }

  @Test
  void endsAnExchangeAndPromiseJobsThatDoNotEnd() {
    open();
    ScriptEngine engine = openImpatient();
    engine.call("mode", "loop");
    assertTrue(assertThrows(ScriptException.class, () -> exchange(engine, pattern(5))).engineLost());
    ScriptEngine second = openImpatient();
    assertTrue(assertThrows(ScriptException.class, () -> second.call("loopInPromise", "")).engineLost());
  }

  @Test
  void aBundleThatCannotBeLoadedSaysWhy() {
    open();
    String syntax = assertThrows(ScriptException.class, () -> open("\n\nlet = ;", LIMIT)).getMessage();
    assertTrue(syntax.contains("SyntaxError") && syntax.contains("bundle.js:3"), syntax);
    String thrown = assertThrows(ScriptException.class, () -> open("throw new TypeError('not here')", LIMIT)).getMessage();
    assertTrue(thrown.contains("TypeError: not here") && thrown.contains("bundle.js:1"), thrown);
    String missing = assertThrows(ScriptException.class, () -> open("1", LIMIT)).getMessage();
    assertTrue(missing.contains("expected the bundle to define a global object host with a function call"), missing);
    ScriptException endless = assertThrows(ScriptException.class, () -> open("for (;;);", SHORT));
    assertTrue(endless.getMessage().contains("did not end"), endless.getMessage());
  }

  @Test
  void takesAHostThatIsNotAPropertyOfTheGlobalObject() {
    String source = "const host = (() => {" + bundle() + "; const h = globalThis.host; delete globalThis.host; return h; })();";
    assertEquals("here", open(source, LIMIT).call("echo", "here"));
  }

  @Test
  void givesTheBundleNothingButTheLanguage() {
    Set<String> globals = new TreeSet<>(Arrays.asList(open().call("globals", "").split(" ")));
    globals.removeAll(
        Arrays.asList(
            ("AggregateError Array ArrayBuffer Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date Error EvalError"
                    + " FinalizationRegistry Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array JSON Map"
                    + " Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String"
                    + " Symbol SyntaxError TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef"
                    + " WeakSet decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval globalThis isFinite isNaN"
                    + " parseFloat parseInt undefined unescape host")
                .split(" ")));
    assertEquals(newerThanTheLanguageOf2022(), globals);
  }

  /** Globals of a later edition of the language, which a bundle may not use: the other engine lacks them. */
  Set<String> newerThanTheLanguageOf2022() {
    return Set.of();
  }

  @Test
  void isUsedByAnotherThreadThanOpenedIt() throws Exception {
    ScriptEngine engine = open();
    ExecutorService pool = Executors.newFixedThreadPool(3);
    try {
      for (int i = 0; i < 9; i++) assertEquals("x", pool.submit(() -> engine.call("echo", "x")).get());
    } finally {
      pool.shutdownNow();
    }
  }

  @Test
  void fourEnginesWorkAtOnceInFourThreads() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(4);
    CountDownLatch allOpen = new CountDownLatch(4);
    try {
      List<Future<String>> counts = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        int size = 50 + i;
        counts.add(
            pool.submit(
                () -> {
                  try (ScriptEngine engine =
                      ScriptEngines.open(kind(), bundle(), "bundle.js", LIMIT, HEAP, warning -> {})) {
                    allOpen.countDown();
                    allOpen.await();
                    for (int n = 0; n < 200; n++) assertArrayEquals(pattern(size), exchange(engine, pattern(size)));
                    return engine.call("count", "");
                  }
                }));
      }
      for (Future<String> count : counts) assertEquals("200", count.get());
    } finally {
      pool.shutdownNow();
    }
  }

  @Test
  void closesTwiceAndIsClosedThen() {
    ScriptEngine engine = open();
    engine.close();
    engine.close();
    assertTrue(assertThrows(ScriptException.class, () -> engine.call("echo", "")).engineLost());
  }

  @Test
  void aCloseByAnotherThreadEndsTheCall() throws Exception {
    ScriptEngine engine = open();
    ExecutorService pool = Executors.newFixedThreadPool(1);
    try {
      Future<ScriptException> call =
          pool.submit(() -> assertThrows(ScriptException.class, () -> engine.call("loop", "")));
      while (!call.isDone()) {
        engine.close();
        Thread.sleep(10);
      }
      assertTrue(call.get().engineLost());
    } finally {
      pool.shutdownNow();
    }
  }

  @Test
  void manyEnginesOneAfterTheOtherLeaveNothing() {
    for (int i = 0; i < 30; i++) {
      try (ScriptEngine engine = ScriptEngines.open(kind(), bundle(), "bundle.js", LIMIT, HEAP, warning -> {})) {
        assertEquals("x", engine.call("echo", "x"));
      }
    }
  }
}
