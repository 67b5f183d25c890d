package io.tenantanalytics.flinkhost.engine;

import java.nio.ByteBuffer;
import java.time.Duration;

/**
 * What a crossing costs: 100 records of 100 bytes, each with its length before it, read and written again one by one. No test:
 * run it by hand ({@code java -cp … ExchangeBench}).
 */
final class ExchangeBench {
  private static final int RECORDS = 100;
  private static final int BYTES = 100;

  private static final String SCRIPT =
      "globalThis.host = {generation: 0, input: new ArrayBuffer(16384), output: new ArrayBuffer(16384), call: (n, a) => a,"
          + " reserve() {}, exchange(length) {"
          + "  const from = new DataView(this.input), to = new DataView(this.output);"
          + "  const source = new Uint8Array(this.input), target = new Uint8Array(this.output);"
          + "  for (let at = 0; at < length; ) {"
          + "   const size = from.getInt32(at, true); to.setInt32(at, size, true); at += 4;"
          + "   target.set(source.subarray(at, at + size), at); at += size;"
          + "  } return length; } };";

  private static final String EMPTY = SCRIPT.replace("exchange(length) {", "exchange(length) { return length;");

  private ExchangeBench() {}

  public static void main(String[] arguments) {
    for (String kind : new String[] {"v8", "graaljs"}) {
      measure(kind, "empty", EMPTY);
      measure(kind, "echo", SCRIPT);
    }
  }

  private static void measure(String kind, String what, String script) {
    byte[] record = new byte[BYTES];
    int rounds = kind.equals("v8") ? 50_000 : 1_000;
    try (ScriptEngine engine =
        ScriptEngines.open(kind, script, "bench.js", Duration.ofMinutes(1), 64L << 20, System.err::println)) {
      long best = Long.MAX_VALUE;
      for (int run = 0; run < 8; run++) {
        long start = System.nanoTime();
        for (int round = 0; round < rounds; round++) {
          ByteBuffer input = engine.input(RECORDS * (BYTES + 4));
          for (int i = 0; i < RECORDS; i++) input.putInt(BYTES).put(record);
          ByteBuffer output = engine.exchange(input.position());
          while (output.hasRemaining()) {
            output.getInt();
            output.get(record);
          }
        }
        best = Math.min(best, (System.nanoTime() - start) / rounds);
      }
      System.out.printf("%-8s %-6s %,d ns an exchange of %d records%n", kind, what, best, RECORDS);
    }
  }
}
