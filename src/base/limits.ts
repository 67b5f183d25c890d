/** Bounds that are not parameters. Each is there so that nothing grows with the input. */
export const LIMITS = {
  /** Bytes handed to sinks and not written yet at which reading stops, and at which it goes on. */
  pressureHighBytes: 16 * 1024 * 1024,
  pressureLowBytes: 4 * 1024 * 1024,
  /** Rows are collected up to this size before they are written. */
  flushBytes: 128 * 1024,
  /** Bytes of a file read at a time. */
  readBytes: 512 * 1024,
  /** Reads of shards under way at a time, each of up to 10 MiB. */
  readsAtOnce: 16,
  /** Bytes of shards read and not worked on at which no more is asked for. */
  readAheadBytes: 64 * 1024 * 1024,
  /** Files one sink keeps open at a time: more than the days an event may be late. Other parts are opened when needed. */
  openFiles: 128,
  /** Parts one sink writes to at a time, one for each date; beyond, the one used longest ago is complete. */
  openParts: 4096,
  /** What a complete part that is not visible yet counts as back-pressure: a checkpoint must come before there are many. */
  finishedPartBytes: 16 * 1024,
  /** Complete parts that wait for a bucket to take them: at about so much in all of them, reading stops. */
  spoolBytes: 2 * 1024 * 1024 * 1024,
  /** Parts uploaded at a time. */
  uploads: 4,
  /** Larger parts are uploaded in pieces of this size, at least. */
  uploadPieceBytes: 8 * 1024 * 1024,
  /** Timers fired before the engine looks up again for stops, failures and checkpoints. */
  timersPerTurn: 1024,
  /** How long a last checkpoint may take when it is stopped. */
  stopMs: 20_000,
  /** Changed state since the last base below which checkpoints are not compacted. */
  compactionMinBytes: 4 * 1024 * 1024,
  /** Checkpoints since the last base at which they are compacted, however small they are. */
  compactionChain: 500,
  /** The first line of a file, as far as it is looked at for a header. */
  headerBytes: 64 * 1024,
} as const;

export type Limits = { readonly [Name in keyof typeof LIMITS]: number };
