// One replay that kills its own process at a named point. Started by tests with `node --import tsx`, the order in the
// last argument as JSON; a process that comes to the end of the replay exits with 0.
import { LIMITS } from '../../src/base/limits.ts';
import { nodeWorld } from '../../src/hosts/node/node-world.ts';
import { collectParameters } from '../../src/hosts/node/properties.ts';
import { replay } from '../../src/hosts/node/replay.ts';
import type { CrashPoint, Probe } from '../../src/runtime/ports.ts';

export interface CrashOrder {
  point: CrashPoint;
  /** Passings count from this one on. */
  after?: CrashPoint;
  /** At which passing of the point, from 1. */
  occurrence: number;
  /** Merge checkpoints into a base again and again, as a large state would; else never. */
  compact: boolean;
  companies: string;
  jobs: string;
  output: string;
  settings: readonly string[];
}

const { point, after, occurrence, compact, settings, ...request } = JSON.parse(process.argv.at(-1) ?? '') as CrashOrder;

// A small input is to pass each point as often as a large one would: it is read and written in little pieces, waits for
// its writes, and keeps few files open. The files it leaves are like those of the program.
const small: { -readonly [K in keyof typeof LIMITS]?: number } = {
  readBytes: 4096,
  flushBytes: 2048,
  pressureHighBytes: 4096,
  pressureLowBytes: 2048,
  finishedPartBytes: 256,
  openFiles: 2,
  ...(compact ? { compactionMinBytes: 1 } : {}),
};
Object.assign(LIMITS, small);

let left = occurrence;
let counts = after === undefined;
const probe: Probe = (passed) => {
  counts ||= passed === after;
  if (counts && passed === point && --left === 0) process.kill(process.pid, 'SIGKILL');
};
const texts = await collectParameters({ environment: {}, settings });
const world = { ...nodeWorld((message) => process.stderr.write(`${message}\n`)), probe };
await replay({ ...request, texts }, world, { started: () => undefined });
