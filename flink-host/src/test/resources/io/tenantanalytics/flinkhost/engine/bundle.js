/** A bundle for tests: `call` sets what `exchange` does. */
class PlainError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = 'PlainError';
  }
}

const failInside = (message) => {
  throw new PlainError(message);
};

const functions = {
  echo: (argument) => argument,
  globals: () => Object.getOwnPropertyNames(globalThis).join(' '),
  mode: (argument) => {
    mode = argument;
    return mode;
  },
  count: () => String(count),
  isText: () => 7,
  fail: (argument) => failInside(argument),
  failWithCause: () => {
    throw new PlainError('outer', { cause: new RangeError('inner') });
  },
  failWithText: (argument) => {
    throw argument;
  },
  failWithNothing: () => {
    throw Object.create(null);
  },
  recurse: () => functions.recurse() + 1,
  loop: () => {
    try {
      for (;;);
    } catch {
      for (;;);
    } finally {
      for (;;);
    }
  },
  loopInPromise: () => {
    void Promise.resolve().then(() => {
      for (;;);
    });
    return 'queued';
  },
  reject: () => {
    void Promise.reject(new PlainError('nobody listens'));
    return 'rejected';
  },
  rejectAndHandle: () => {
    const promise = Promise.reject(new PlainError('somebody listens'));
    void Promise.resolve().then(() => promise.catch(() => count++));
    return 'handled';
  },
  fillHeap: () => {
    const kept = [];
    for (;;) kept.push({ text: `kept ${kept.length}` });
  },
  fillBuffers: (argument) => {
    kept.push(new Uint8Array(Number(argument)).fill(1));
    return String(kept.length);
  },
};

const kept = [];
let mode = 'echo';
let count = 0;

globalThis.host = {
  generation: 0,
  input: new ArrayBuffer(64),
  output: new ArrayBuffer(0),
  call: (name, argument) => functions[name](argument),
  reserve(capacity) {
    this.input = new ArrayBuffer(capacity);
    this.generation++;
  },
  exchange(length) {
    if (mode === 'fail') throw new PlainError(`record of ${length} bytes`);
    if (mode === 'tooMuch') return this.output.byteLength + 1;
    if (mode === 'loop') for (;;);
    const copies = mode === 'double' ? 2 : 1;
    if (this.output.byteLength < length * copies) {
      this.output = new ArrayBuffer(length * copies);
      this.generation++;
    }
    const target = new Uint8Array(this.output);
    for (let copy = 0; copy < copies; copy++) target.set(new Uint8Array(this.input, 0, length), copy * length);
    if (mode === 'later') {
      void Promise.resolve().then(() => Promise.resolve().then(() => target.fill(9, 0, length)));
    }
    count++;
    return length * copies;
  },
};
