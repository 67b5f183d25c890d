package io.tenantanalytics.flinkhost.engine;

import java.nio.ByteBuffer;
import java.util.concurrent.CancellationException;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** The job's side of a script in {@link V8World}. */
final class V8Engine implements ScriptEngine {
  private final BiFunction<String, String, String> call;
  private final IntFunction<ByteBuffer> input;
  private final IntFunction<ByteBuffer> exchange;
  private final LongSupplier heapUsed;
  private final LongSupplier heapLimit;
  private final Runnable close;

  @SuppressWarnings("unchecked")
  V8Engine(
      Function<Object[], Object[]> world, String source, String name, String prelude, long limitNanos, long heapLimitBytes) {
    Object[] script = translated(() -> world.apply(new Object[] {source, name, prelude, limitNanos, heapLimitBytes}));
    call = (BiFunction<String, String, String>) script[0];
    input = (IntFunction<ByteBuffer>) script[1];
    exchange = (IntFunction<ByteBuffer>) script[2];
    heapUsed = (LongSupplier) script[3];
    heapLimit = (LongSupplier) script[4];
    close = (Runnable) script[5];
  }

  @Override
  public String name() {
    return "v8";
  }

  @Override
  public String call(String function, String argument) {
    return translated(() -> call.apply(function, argument));
  }

  @Override
  public ByteBuffer input(int capacity) {
    return translated(() -> input.apply(capacity));
  }

  @Override
  public ByteBuffer exchange(int length) {
    return translated(() -> exchange.apply(length));
  }

  @Override
  public long heapUsed() {
    return heapUsed.getAsLong();
  }

  @Override
  public long heapLimit() {
    return heapLimit.getAsLong();
  }

  @Override
  public void close() {
    close.run();
  }

  /** What a script failed with crosses as types of the JDK; its exception knows both worlds and stays behind. */
  private static <T> T translated(Supplier<T> crossing) {
    try {
      return crossing.get();
    } catch (CancellationException ended) {
      throw new ScriptException(ended.getMessage(), true);
    } catch (IllegalStateException thrown) {
      throw new ScriptException(thrown.getMessage(), false);
    }
  }
}
