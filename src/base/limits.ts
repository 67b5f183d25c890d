/** Bounds that are not parameters. Each is there so that nothing grows with the input. */
export const LIMITS = {
  /** Bytes handed to sinks and not written yet at which reading stops, and at which it goes on. */
  pressureHighBytes: 16 * 1024 * 1024,
  pressureLowBytes: 4 * 1024 * 1024,
  /** Rows are collected up to this size before they are written. */
  flushBytes: 128 * 1024,
  /** Bytes of a file read at a time. */
  readBytes: 512 * 1024,
  /** Parts open at a time in one sink: more than the days an event may be late. */
  openParts: 128,
  /** Timers fired before the engine looks up again for stops, failures and checkpoints. */
  timersPerTurn: 1024,
  /** Changed state since the last base below which checkpoints are not compacted. */
  compactionMinBytes: 4 * 1024 * 1024,
  /** The first line of a file, as far as it is looked at for a header. */
  headerBytes: 64 * 1024,
} as const;

export type Limits = { readonly [Name in keyof typeof LIMITS]: number };
