// Records that cannot be used, on live streams: kept as they came, mended, sent again.
import { readFile, writeFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import type { KinesisApi } from '../../src/connectors/kinesis/kinesis-api.ts';
import type { LocalKinesis } from '../support/local-kinesis.ts';
import type { ToPut } from '../support/stream-contents.ts';
import { byCompany, expectExact, jobsOf, LiveApplication, liveKinesis, type Row, stopWell } from './live.ts';
import { type Letter, textLines } from './outputs.ts';
import { oneLine, run } from './program.ts';

const MAX_BYTES = 1024;
const COMPANIES = Array.from({ length: 15 }, (_, nth) => `comp_${nth}`);
const GOOD = jobsOf(COMPANIES, 600);

let kinesis: LocalKinesis;
let api: KinesisApi;
beforeAll(async () => {
  ({ kinesis, api } = await liveKinesis());
});

interface Broken {
  readonly reason: string;
  readonly record: Buffer;
  /** What it should have been. */
  readonly good: ToPut;
}

type Breaks = (job: Record<string, unknown>, text: string) => string | Buffer;

/** What goes wrong at senders. */
const WAYS: readonly (readonly [reason: string, Breaks])[] = [
  ['malformed', (_job, text) => `{${text}`],
  ['malformed', (_job, text) => text.slice(0, -5)],
  ['malformed', () => Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3, 0x28])],
  ['malformed', () => ''],
  ['invalid', (job) => JSON.stringify({ ...job, nbJobs: -1 })],
  ['invalid', (job) => JSON.stringify({ ...job, companyID: undefined })],
  ['invalid', (job) => JSON.stringify({ ...job, nbJobs: 'three' })],
  ['invalid', (job) => JSON.stringify({ ...job, creationDate: 'tomorrow' })],
  ['oversized', (job) => JSON.stringify({ ...job, note: 'x'.repeat(2 * MAX_BYTES) })],
];

/** Each 50th is broken, in one way after the other; the others are as they should be. */
function withBroken(records: readonly ToPut[]): { records: ToPut[]; broken: Broken[] } {
  const broken: Broken[] = [];
  const all = records.map((good, index) => {
    if (index % 50 !== 25) return good;
    const text = String(good.data);
    const [reason, breaks] = WAYS[broken.length % WAYS.length] ?? ['', () => ''];
    const record = Buffer.from(breaks(JSON.parse(text), text));
    broken.push({ reason, record, good });
    return { partitionKey: good.partitionKey, data: record };
  });
  return { records: all, broken };
}

const lastCounts = (rows: readonly Row[]) =>
  Object.fromEntries(
    [...byCompany(rows)].map(([companyID, own]) => {
      const { job30, job90, version } = own.at(-1) ?? { job30: 0, job90: 0, version: 0 };
      return [companyID, { job30, job90, version }];
    }),
  );

async function runTo(live: LiveApplication, rows: number): Promise<void> {
  const program = live.start(`record.maxBytes=${MAX_BYTES}`);
  await live.rowsReached(rows, program);
  await stopWell(program);
}

test('poison, oversized and wrong records are kept with their bytes; mended and sent again, all counts are right', async () => {
  const clean = await LiveApplication.create({ kinesis, api });
  await clean.putCompanies(...COMPANIES);
  await clean.put(GOOD);
  await runTo(clean, GOOD.length);

  const live = await LiveApplication.create({ kinesis, api });
  const { records, broken } = withBroken(GOOD);
  expect(broken.length).toBeGreaterThan(WAYS.length);
  await live.putCompanies(...COMPANIES);
  await live.put(records);
  const program = live.start(`record.maxBytes=${MAX_BYTES}`);
  await live.rowsReached(GOOD.length - broken.length, program);
  await live.deadLettersVisible(broken.length, program);
  await stopWell(program);

  const outcome = await live.outcome();
  expectExact(outcome, 'never killed');
  expect(outcome.deadLetters.map(({ reason, payload }) => ({ reason, payload }))).toEqual(
    broken.map(({ reason, record }) => ({
      reason,
      payload: record.subarray(0, reason === 'oversized' ? MAX_BYTES : record.length).toString('base64'),
    })),
  );
  expect(lastCounts(outcome.rows)).not.toEqual(lastCounts(await clean.rows()));

  // As the help says: to a file, mended there, and back.
  const listed = await run('dead-letters', 'list', live.output, '--json');
  expect(listed.code).toBe(0);
  const file = `${live.folder}/letters.jsonl`;
  const letters = textLines(listed.stdout).map((line) => JSON.parse(line) as Letter & { record?: string });
  expect(letters).toHaveLength(broken.length);
  const mended = letters.map((letter, index) => ({ ...letter, record: String(broken[index]?.good.data) }));
  await writeFile(file, mended.map((letter) => `${JSON.stringify(letter)}\n`).join(''));

  const replay = (...more: string[]) => run('dead-letters', 'replay', file, '--endpoint', kinesis.endpoint, ...more);
  expect(await replay('--dry-run')).toMatchObject({ code: 0, stdout: `Would send ${broken.length} dead letters.\n` });
  expect(await live.sent()).toHaveLength(GOOD.length);
  expect(await replay()).toMatchObject({ code: 0, stdout: `Sent ${broken.length} dead letters.\n` });
  expect(await live.sent()).toHaveLength(GOOD.length + broken.length);
  await runTo(live, GOOD.length);
  const after = await live.outcome();
  expectExact(after, 'never killed');
  expect(after.deadLetters).toHaveLength(broken.length);
  expect(lastCounts(after.rows)).toEqual(lastCounts(await clean.rows()));

  // Once is enough.
  const again = await replay();
  expect(again.code).toBe(0);
  expect(again.stdout).toMatch(/^Sent 0 dead letters\.\n {2}sent before +\d+: not sent again \(--again\)\n$/);
  expect(await live.sent()).toHaveLength(GOOD.length + broken.length);
});

test('sent again unmended, straight from the output, they are dead letters once more, and each is sent once', async () => {
  const live = await LiveApplication.create({ kinesis, api });
  const { records, broken } = withBroken(GOOD.slice(0, 500));
  await live.putCompanies(...COMPANIES);
  await live.put(records);
  const heads = broken.filter(({ reason }) => reason === 'oversized').length;
  const whole = broken.length - heads;
  const program = live.start(`record.maxBytes=${MAX_BYTES}`);
  await live.deadLettersVisible(broken.length, program);
  const replay = () => run('dead-letters', 'replay', live.output, '--endpoint', kinesis.endpoint);
  await stopWell(program);
  const { code, stdout } = await replay();
  expect(code).toBe(0);
  expect(stdout).toMatch(
    new RegExp(`^Sent ${whole} dead letters\\.\n {2}oversized +${heads}: only their heads were kept`),
  );

  const second = live.start(`record.maxBytes=${MAX_BYTES}`);
  await live.deadLettersVisible(broken.length + whole, second);
  await stopWell(second);
  const outcome = await live.outcome();
  expectExact(outcome, 'never killed');
  const payloads = outcome.deadLetters.slice(broken.length).map(({ payload }) => payload);
  const unmended = broken.filter(({ reason }) => reason !== 'oversized').map(({ record }) => record.toString('base64'));
  expect([...payloads].sort()).toEqual([...unmended].sort());
  const journal = textLines(await readFile(`${live.output}/_dead-letters/.replayed`, 'utf8'));
  expect(new Set(journal).size).toBe(whole);
});

test('when their stream cannot be reached, nothing counts as sent, and it says so in one line', async () => {
  const live = await LiveApplication.create({ kinesis, api });
  await live.putCompanies('comp_0');
  await live.put([{ partitionKey: 'k', data: 'neither JSON nor CSV' }]);
  const program = live.start();
  await live.deadLettersVisible(1, program);
  await stopWell(program);
  const words = ['dead-letters', 'replay', live.output] as const;
  const nowhere = await run(...words, '--stream', 'nowhere', '--endpoint', kinesis.endpoint);
  expect(nowhere.code).toBe(2);
  expect(oneLine(nowhere.stderr)).toMatch(/--stream.*nowhere.*\[STREAM_NOT_FOUND\]$/);
  expect(await run(...words, '--endpoint', kinesis.endpoint)).toMatchObject({ stdout: 'Sent 1 dead letters.\n' });
});
