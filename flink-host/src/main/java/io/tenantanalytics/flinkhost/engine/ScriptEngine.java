package io.tenantanalytics.flinkhost.engine;

import java.nio.ByteBuffer;

/**
 * One JavaScript engine with the bundle of a graph loaded, for one operator instance; called by one thread at a time, not
 * always the same one. Got from {@link ScriptEngines}.
 *
 * <p>The bundle is a classic script that defines one global object, {@code host}, with
 *
 * <ul>
 *   <li>{@code call(name, argument)}: text in, text out, for what happens once (describe the graph, open an operator);
 *   <li>{@code exchange(length)}: works off the first {@code length} bytes of {@code host.input} and returns how many bytes
 *       of {@code host.output} it has written. Both are ArrayBuffers; after a call either may be another, larger one;
 *   <li>{@code reserve(capacity)}: makes {@code host.input} hold at least so many bytes (its contents are lost);
 *   <li>{@code generation}: a number that is another one whenever {@code host.input} or {@code host.output} is.
 * </ul>
 *
 * <p>The bundle has the language and nothing else: no console, timers, network, files. Promise jobs have run when a call
 * returns; a promise that was rejected and that nobody handled is an error of the call.
 *
 * <p>Buffers are little endian. They are the script's own memory (V8) or a copy of it (GraalJS): use one after the next call
 * here, or after {@link #close}, and the JVM may crash.
 */
public interface ScriptEngine extends AutoCloseable {
  /** {@code v8} or {@code graaljs}. */
  String name();

  /** @throws ScriptException when the script throws, or does not end within its limits */
  String call(String function, String argument);

  /** The script's input buffer, at least {@code capacity} bytes, position 0; valid until the next call of any method here. */
  ByteBuffer input(int capacity);

  /**
   * Hands the first {@code length} bytes of the input to the script.
   *
   * @return its answer, from position 0 to limit; valid until the next call of any method here
   * @throws ScriptException when the script throws, or does not end within its limits
   */
  ByteBuffer exchange(int length);

  /**
   * Bytes of the script's heap and ArrayBuffers in use, at most a second old while the engine is at work; -1 where the engine
   * cannot tell. May be called by any thread, as the next one.
   */
  long heapUsed();

  /** What {@link #heapUsed} may reach; -1 where the engine has no limit of its own. */
  long heapLimit();

  /** Frees the script. A second time does nothing; by another thread while a call runs, it ends the call first. */
  @Override
  void close();
}
