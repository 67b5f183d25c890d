import type { HttpTransport } from '../../src/runtime/ports.ts';

/** For graphs without HTTP stages. */
export const noCalls: HttpTransport = {
  send: () => Promise.reject(new Error('this graph makes no calls')),
  close: () => Promise.resolve(),
};
