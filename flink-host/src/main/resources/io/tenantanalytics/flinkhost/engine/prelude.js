/**
 * Evaluated after the bundle. Its value is all that Java calls, the same for both engines: each function is one crossing,
 * and nothing that the script throws leaves it, so that an error reads the same whatever the engine.
 */
((host) => {
  const FAILED = -1;
  const REPLACED = -2;
  const TEXT_CHARACTERS_MAX = 8192;
  const CAUSES_MAX = 5;

  for (const name of ['call', 'exchange', 'reserve']) {
    if (typeof host?.[name] !== 'function') {
      throw new TypeError(
        `expected the bundle to define a global object host with a function ${name}, got ${typeof host?.[name]}`,
      );
    }
  }
  for (const name of ['input', 'output']) {
    if (!(host[name] instanceof ArrayBuffer)) {
      throw new TypeError(`expected host.${name} to be an ArrayBuffer, got ${typeof host[name]}`);
    }
  }

  let generation = host.generation;
  let failure = '';

  const textOf = (value) => {
    try {
      return String(value);
    } catch {
      return 'an object that has no text';
    }
  };

  const describeOne = (thrown) => {
    if (!(thrown instanceof Error)) return `something that is not an Error was thrown: ${textOf(thrown)}`;
    // The head of `stack` is of when the error was made; its name may have been set after that.
    const frames = String(thrown.stack)
      .split('\n')
      .filter((line) => /^\s+at /.test(line) && !line.includes('flink-host:prelude'));
    const code = typeof thrown.code === 'string' ? ` [${thrown.code}]` : '';
    return [textOf(thrown) + code, ...frames].join('\n');
  };

  const describe = (thrown) => {
    try {
      const parts = [describeOne(thrown)];
      let cause = thrown?.cause;
      while (cause !== undefined && cause !== null && parts.length <= CAUSES_MAX) {
        parts.push(`caused by: ${describeOne(cause)}`);
        cause = cause.cause;
      }
      return parts.join('\n').slice(0, TEXT_CHARACTERS_MAX);
    } catch {
      return 'the script threw something that cannot be described';
    }
  };

  const fail = (thrown) => {
    failure = describe(thrown);
    return FAILED;
  };

  return {
    /** The answer, or null when the script threw; then `failure` has the text. */
    call(name, argument) {
      try {
        const answer = host.call(name, argument);
        if (typeof answer === 'string') return answer;
        fail(new TypeError(`expected host.call('${name}', …) to return text, got ${typeof answer}`));
      } catch (thrown) {
        fail(thrown);
      }
      return null;
    },

    /** How many bytes were written; as -2 minus that number when a buffer is another one; or -1: it threw. */
    exchange(length) {
      try {
        const written = host.exchange(length);
        if (!Number.isInteger(written) || written < 0 || written > host.output.byteLength) {
          const size = host.output.byteLength;
          return fail(new RangeError(`expected host.exchange to return 0 to ${size} bytes, got ${textOf(written)}`));
        }
        if (host.generation === generation) return written;
        generation = host.generation;
        return REPLACED - written;
      } catch (thrown) {
        return fail(thrown);
      }
    },

    /** -2, or -1: it threw. */
    reserve(capacity) {
      try {
        host.reserve(capacity);
        if (host.input.byteLength < capacity) {
          const size = host.input.byteLength;
          return fail(new RangeError(`expected host.input to have ${capacity} bytes after reserve, got ${size}`));
        }
        generation = host.generation;
        return REPLACED;
      } catch (thrown) {
        return fail(thrown);
      }
    },

    input: () => host.input,
    output: () => host.output,
    failure: () => failure,
    describe,
  };
  // By its name: a bundle may have declared it with `const`, and then the global object does not have it.
})(typeof host === 'undefined' ? undefined : host);
