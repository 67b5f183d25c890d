package io.tenantanalytics.flinkhost.engine;

import java.nio.ByteBuffer;

/**
 * One JavaScript engine with the bundle of a graph loaded, for one operator instance; called by one thread at a time.
 *
 * <p>The bundle defines one global object, {@code host}, with
 *
 * <ul>
 *   <li>{@code call(name, argument)}: text in, text out, for what happens once (describe the graph, open an operator);
 *   <li>{@code exchange(length)}: works off the first {@code length} bytes of {@code host.input} and returns how many bytes
 *       of {@code host.output} it has written. Both are ArrayBuffers; after a call either may be another, larger one;
 *   <li>{@code reserve(capacity)}: makes {@code host.input} hold at least so many bytes (its contents are lost).
 * </ul>
 */
public interface ScriptEngine extends AutoCloseable {
  /** {@code v8} or {@code graaljs}. */
  String name();

  /** @throws ScriptException when the script throws, or does not end within its time */
  String call(String function, String argument);

  /** The script's input buffer, at least {@code capacity} bytes, position 0; valid until the next call of any method here. */
  ByteBuffer input(int capacity);

  /**
   * Hands the first {@code length} bytes of the input to the script.
   *
   * @return its answer, from position 0 to limit; valid until the next call of any method here
   * @throws ScriptException when the script throws, or does not end within its time
   */
  ByteBuffer exchange(int length);

  /** Bytes of the script's heap in use, and the limit; -1 where the engine cannot tell. */
  long heapUsed();

  long heapLimit();

  @Override
  void close();
}
