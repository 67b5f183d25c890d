import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Random, seededRandom } from '../../src/base/random.ts';
import type { PartsState } from '../../src/runtime/ports.ts';
import { S3Life, turn } from '../support/s3-life.ts';
import { type Fault, S3Server } from '../support/s3-server.ts';

/* Whatever S3 and the machine do, in whatever order, each row is in one object in the end, in its order. */

let server: S3Server;
let spool: string;

beforeEach(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  server = await S3Server.start();
  spool = mkdtempSync(`${tmpdir()}/s3-chaos-`);
});

afterEach(async () => {
  await server.stop();
  rmSync(spool, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

const ROWS = 60;
const MOST_LIVES = 12;

/** Parts, and the row that comes next: they make one checkpoint. */
interface Checkpoint {
  readonly state: PartsState | undefined;
  readonly row: number;
}

const partitionOf = (row: number) => `dt=${(row * 7) % 3}`;
const lineOf = (row: number) => `${row} ${'x'.repeat((row * 37) % 300)}`;

/** Lives on from the last checkpoint until it dies; true when it came to the end. */
async function live(checkpoints: Checkpoint[], random: Random, isImmortal: boolean): Promise<boolean> {
  const from = checkpoints.at(-1) ?? { state: undefined, row: 0 };
  const diesAtProbe = isImmortal ? Number.POSITIVE_INFINITY : Math.floor(random() * 150);
  let probes = 0;
  const probe = () => {
    if (++probes > diesAtProbe) throw new Error('killed');
  };
  const life = new S3Life(server, { spool, rollBytes: 1500, random, probe });
  const checkpoint = async (row: number) => {
    const barrier = life.store.barrier();
    await barrier.persist();
    checkpoints.push({ state: barrier.state, row });
    await barrier.commit();
  };
  try {
    await life.store.restore(from.state);
    if (from.state === undefined) await checkpoint(0);
    for (let row = from.row; row < ROWS; ) {
      life.write(partitionOf(row), lineOf(row));
      row++;
      if (life.failures.length > 0 || (!isImmortal && random() < 0.01)) return false;
      if (random() < 0.2) await checkpoint(row);
      if (random() < 0.3) await turn();
    }
    life.store.finish();
    await checkpoint(ROWS);
    return true;
  } catch (error) {
    if (probes <= diesAtProbe) throw error;
    return false;
  } finally {
    await life.store.close();
  }
}

function faultOf(random: Random, chance: number): Fault | undefined {
  if (random() >= chance) return undefined;
  const faults: readonly Fault[] = [
    { status: 503, code: 'SlowDown' },
    { status: 500, code: 'InternalError' },
    { kind: 'cut' },
    { kind: 'lose-answer' },
  ];
  return faults[Math.floor(random() * faults.length)];
}

it.each(Array.from({ length: 40 }, (_, seed) => seed))('each row is in one object (seed %i)', async (seed) => {
  const random = seededRandom(seed);
  const chance = [0, 0.1, 0.4][seed % 3] ?? 0;
  const fallsBack = seed % 2 === 0;
  server.fault = ({ operation }) => (operation.startsWith('List') ? undefined : faultOf(random, chance));
  const checkpoints: Checkpoint[] = [];
  let retracted = false;
  for (let lives = 1; !(await live(checkpoints, random, lives === MOST_LIVES)); lives++) {
    if (!fallsBack || checkpoints.length < 2 || random() < 0.5) continue;
    checkpoints.pop();
    retracted = true;
  }
  server.fault = () => undefined;
  const last = new S3Life(server, { spool, rollBytes: 1500 });
  await last.store.restore(checkpoints.at(-1)?.state);
  last.store.finish();
  await last.checkpoint();
  await last.store.close();

  const objects = Object.entries(server.texts());
  const rows = objects.flatMap(([, text]) => text.split('\n').slice(0, -1));
  expect(rows.sort()).toEqual(Array.from({ length: ROWS }, (_, row) => lineOf(row)).sort());
  for (const [key, text] of objects) {
    const inPart = text
      .split('\n')
      .slice(0, -1)
      .map((line) => Number.parseInt(line, 10));
    expect(inPart).toEqual([...inPart].sort((a, b) => a - b));
    for (const row of inPart) expect(key).toContain(`/${partitionOf(row)}/`);
  }
  expect(server.uploads.size).toBe(0);
  const left = readdirSync(spool, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(left.map(({ name }) => name).filter((name) => name !== '.fetched')).toEqual([]);
  if (retracted) return;
  const values = new Set(server.history.map(({ key, bytes }) => `${key} ${bytes}`));
  expect(values.size, 'a visible object never changes').toBe(objects.length);
});
