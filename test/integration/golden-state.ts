// A replay that was killed in its middle, kept as files. test/fixtures/replay-format-1 was written in checkpoint format 1;
// `npx tsx test/integration/golden-state.ts test/fixtures/replay-format-<n>` makes one in the format of today. Those that
// are there stay: users have such state.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeCheckpoint } from '../../src/runtime/checkpoint-format.ts';
import type { CheckpointBody } from '../../src/runtime/checkpointer.ts';
import type { PartsState } from '../../src/runtime/ports.ts';
import type { CrashOrder } from './crash-child.ts';
import { input, modelOf } from './inputs.ts';

/** The replay in a folder of this kind: what it was begun with, and what it must come to. */
export const GOLDEN = {
  companies: 'companies.jsonl',
  jobs: 'jobs.jsonl',
  output: 'output',
  settings: ['enrichment=join', 'scoring=off', 'sink.roll.size=4KiB', 'record.maxBytes=1KiB'],
  /** Modification time of both inputs at the first start. */
  arrivalTime: Date.UTC(2025, 0, 9, 12),
  /** What `canonical` must print. */
  canonical: 'expected.csv',
  /** `line,reason` of each dead letter. */
  deadLetters: 'expected-dead-letters.csv',
} as const;

if (process.argv[1] === fileURLToPath(import.meta.url)) makeGolden(resolve(process.argv[2] ?? ''));

function makeGolden(folder: string): void {
  if (!folder.includes('replay-format-')) throw new Error(`expected …/replay-format-<n>, got ${folder}`);
  // Which checkpoint is the one to be killed at depends on how fast this machine is.
  for (let occurrence = 3; occurrence < 60; occurrence++) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeInputs(folder);
    killAt(folder, occurrence);
    if (isInTheMiddle(folder)) return;
  }
  throw new Error('expected a checkpoint in the middle with parts to be shown, found none');
}

/** A dated input, and after it records of both kinds that have no date but that of their file. */
function writeInputs(folder: string): void {
  const { companies, jobs, modelCompanies, modelJobs, broken } = input(71, { companies: 12, jobs: 400, days: 7 });
  const time = GOLDEN.arrivalTime;
  const undated = Array.from({ length: 20 }, (_, index) => ({
    companyID: index % 3 === 0 ? 'comp_undated' : 'comp_1',
    userID: 'user_undated',
    nbJobs: index,
    time,
    line: 401 + index,
  }));
  const tooLong = 421;
  const expected = modelOf({
    modelCompanies: [...modelCompanies, { companyID: 'comp_undated', job30: 4, job90: 9, time }],
    modelJobs: [...modelJobs, ...undated],
  });
  const letters = [
    ...expected.deadLetters,
    ...broken.map((line) => ({ line, reason: 'malformed' })),
    { line: tooLong, reason: 'oversized' },
  ];
  const undatedLines = undated.map(({ companyID, userID, nbJobs }) => `${companyID},${userID},${nbJobs}\n`).join('');
  writeFileSync(`${folder}/${GOLDEN.companies}`, `${companies}comp_undated,retail,1000,10,4,9,5,50\n`);
  writeFileSync(`${folder}/${GOLDEN.jobs}`, `${jobs}${undatedLines}${'x'.repeat(1100)}\n`);
  for (const name of [GOLDEN.companies, GOLDEN.jobs]) utimesSync(`${folder}/${name}`, time / 1000, time / 1000);
  writeFileSync(`${folder}/${GOLDEN.canonical}`, expected.canonical.map((line) => `${line}\n`).join(''));
  const letterLines = letters.sort((a, b) => a.line - b.line).map(({ line, reason }) => `${line},${reason}\n`);
  writeFileSync(`${folder}/${GOLDEN.deadLetters}`, letterLines.join(''));
}

function killAt(folder: string, occurrence: number): void {
  const order: CrashOrder = {
    point: 'checkpoint:committed',
    occurrence,
    compact: true,
    companies: `${folder}/${GOLDEN.companies}`,
    jobs: `${folder}/${GOLDEN.jobs}`,
    output: `${folder}/${GOLDEN.output}`,
    settings: [...GOLDEN.settings, 'checkpoint.interval=0ms'],
  };
  const child = fileURLToPath(new URL('crash-child.ts', import.meta.url));
  spawnSync(process.execPath, ['--import', 'tsx', child, JSON.stringify(order)], { stdio: 'inherit' });
  rmSync(`${order.output}/.state/lock`, { force: true });
}

/** Half of the input read; state in a base and a change; parts that are written to, and some that were not shown yet. */
function isInTheMiddle(folder: string): boolean {
  const checkpoints = `${folder}/${GOLDEN.output}/.state/checkpoints`;
  const newest = readdirSync(checkpoints)
    .filter((name) => /^chk-\d+$/.test(name))
    .sort()
    .at(-1);
  const { meta } = decodeCheckpoint(readFileSync(`${checkpoints}/${newest}`));
  const body = meta.body as CheckpointBody;
  const { open, finished, nextSequence } = body.sinks.rows as PartsState;
  const line = Number(body.partitions[`jobs:${GOLDEN.jobs}`]?.position.line);
  const hasBase = meta.chain.some((name) => name.startsWith('base-'));
  const hasVisible = nextSequence - 1 > open.length + finished.length;
  return line > 100 && line < 300 && hasBase && hasVisible && open.length > 0 && finished.length > 0;
}
