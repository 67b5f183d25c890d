// The producer as a user runs it: the real program, a real Kinesis protocol, and files.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { userRecords } from '../../src/connectors/kinesis/deaggregate.ts';
import type { KinesisApi } from '../../src/connectors/kinesis/kinesis-api.ts';
import { type KinesisFaultProxy, startKinesisFaultProxy } from '../support/kinesis-fault-proxy.ts';
import type { LocalKinesis } from '../support/local-kinesis.ts';
import { contentsOf } from '../support/stream-contents.ts';
import { temporaryFolder } from './folders.ts';
import { liveKinesis, until } from './live.ts';
import { completeReplay, oneLine, run, start } from './program.ts';

let kinesis: LocalKinesis;
let api: KinesisApi;
let proxy: KinesisFaultProxy;
let made = 0;
beforeAll(async () => {
  ({ kinesis, api } = await liveKinesis());
  proxy = await startKinesisFaultProxy(kinesis.endpoint, 7);
});
afterAll(() => proxy.stop());

async function streams(): Promise<{ jobs: string; companies: string; words: readonly string[] }> {
  const [jobs, companies] = [`simulated-jobs-${++made}`, `simulated-companies-${made}`];
  await kinesis.createStream(jobs, 2);
  await kinesis.createStream(companies);
  return { jobs, companies, words: ['--jobs-stream', jobs, '--companies-stream', companies] };
}

/** The texts of each company's events, in their order. */
function perCompany(records: readonly { partitionKey: string; text: string }[]): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const { partitionKey, text } of records) all[partitionKey] = [...(all[partitionKey] ?? []), text];
  return all;
}

test('same seed, same events: also where Kinesis refuses one entry in three and cuts connections', async () => {
  const sent = [];
  for (const faults of [{}, { rejectedEntries: 0.3, cut: 0.1 }]) {
    const { jobs, companies, words } = await streams();
    proxy.faults = { ...proxy.faults, rejectedEntries: 0, cut: 0, ...faults };
    // With days that long, tenants do not change while it runs, however long that takes.
    const options = ['--rate', '400', '--events', '300', '--tenants', '20', '--seed', '3', '--day', '1d'];
    const { code, stdout, stderr } = await run('simulate', '--endpoint', proxy.endpoint, ...words, ...options);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/^Sent 20 company records and 300 job events in [\d,]+ s\.\n$/);
    expect(await contentsOf(api, companies)).toHaveLength(20);
    const records = await contentsOf(api, jobs);
    expect(records).toHaveLength(300);
    for (const { partitionKey, text } of records) expect(text).toContain(partitionKey);
    sent.push(perCompany(records));
  }
  expect(proxy.counts.rejectedEntries).toBeGreaterThan(0);
  expect(sent[1]).toEqual(sent[0]);
});

test('--aggregate: records in the format of the KPL, of one company each', async () => {
  const { jobs, words } = await streams();
  const options = ['--rate', '2000', '--events', '2000', '--tenants', '3', '--aggregate'];
  const { code } = await run('simulate', '--endpoint', kinesis.endpoint, ...words, ...options);
  expect(code).toBe(0);
  const records = await contentsOf(api, jobs);
  const events = records.flatMap(({ data, partitionKey }) =>
    (userRecords(data) ?? [data]).map((event) => ({ partitionKey, text: Buffer.from(event).toString() })),
  );
  expect(events).toHaveLength(2000);
  expect(records.length).toBeLessThan(1500);
  expect(events.every(({ partitionKey, text }) => text.includes(partitionKey))).toBe(true);
});

describe('it ends with one line that says what to do when', () => {
  test('a stream does not exist', async () => {
    const { words } = await streams();
    for (const option of ['--jobs-stream', '--companies-stream']) {
      const { code, stderr } = await run('simulate', '--endpoint', kinesis.endpoint, ...words, option, 'nowhere');
      expect(code).toBe(2);
      expect(oneLine(stderr)).toMatch(
        new RegExp(`stream nowhere \\(${option}\\) .*there is none.* \\[STREAM_NOT_FOUND\\]$`),
      );
    }
  });

  test('there are no credentials', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE', 'AWS_WEB_IDENTITY_TOKEN_FILE']) {
      vi.stubEnv(name, undefined);
    }
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere/credentials');
    vi.stubEnv('AWS_CONFIG_FILE', '/nowhere/config');
    const { code, stderr } = await run('simulate', '--endpoint', 'https://kinesis.invalid');
    vi.unstubAllEnvs();
    expect(code).toBe(1);
    expect(oneLine(stderr)).toMatch(/CredentialsProviderError.*AWS_ACCESS_KEY_ID.* \[KINESIS_REFUSED\]$/);
  });

  test.each([
    ['--rate', 'fast'],
    ['--fading', '1.5'],
    ['--day', '3 d'],
    ['--events', '-1'],
    ['--begin', '2026-01-01'],
  ])('%s %s', async (option, value) => {
    const { code, stderr } = await run('simulate', option, value);
    expect(code).toBe(2);
    expect(oneLine(stderr)).toMatch(new RegExp(`${option}.* \\[USAGE\\]$`));
  });

  test('a shape is none', async () => {
    const { code, stderr } = await run('simulate', '--shape', 'round');
    expect(code).toBe(2);
    expect(stderr).toMatch(/steady, daily, weekly, hourly/);
  });
});

test('throttled for long it says so once, goes on trying, and Ctrl-C ends it', async () => {
  const { words } = await streams();
  proxy.faults = { ...proxy.faults, rejectedEntries: 1, cut: 0 };
  const program = start('simulate', '--endpoint', proxy.endpoint, ...words, '--rate', '50');
  await until('the warning', program, () => program.stderr().includes('has not accepted records'));
  program.send('SIGINT');
  const { code, stderr } = await program.ended;
  proxy.faults = { ...proxy.faults, rejectedEntries: 0 };
  expect(code).toBe(0);
  expect(stderr).toMatch(/ProvisionedThroughputExceededException.*enough shards/);
});

describe('--output', () => {
  const options = [
    '--tenants',
    '30',
    '--events',
    '2000',
    '--history',
    '40',
    '--begin',
    '2026-01-01',
    '--shape',
    'weekly',
  ];

  test('the same files each time, and others with another seed; replay counts all of them', async () => {
    const base = await temporaryFolder();
    const files = [];
    for (const [name, seed] of [
      ['a', '1'],
      ['b', '1'],
      ['c', '2'],
    ] as const) {
      const { code, stdout } = await run('simulate', '--output', `${base}/${name}`, ...options, '--seed', seed);
      expect(code).toBe(0);
      expect(stdout).toBe(`Wrote 30 company records and 2,000 job events to ${base}/${name}.\n`);
      files.push(
        await Promise.all(['companies', 'jobs'].map((what) => readFile(`${base}/${name}/${what}.jsonl`, 'utf8'))),
      );
    }
    expect(files[1]).toEqual(files[0]);
    expect(files[2]?.[1]).not.toEqual(files[0]?.[1]);
    const replay = { companies: `${base}/a/companies.jsonl`, jobs: `${base}/a/jobs.jsonl`, output: `${base}/out` };
    const { stdout } = await completeReplay(replay);
    expect(stdout).toMatch(/2,000/);
    expect(stdout).not.toMatch(/late +[1-9]|invalid +[1-9]|malformed +[1-9]/);
  });

  test('files that are there are not written over, and nothing is begun without an end', async () => {
    const base = await temporaryFolder();
    await run('simulate', '--output', base, ...options);
    const again = await run('simulate', '--output', base, ...options);
    expect(again.code).toBe(2);
    expect(oneLine(again.stderr)).toMatch(/has\. Name another folder, or remove them\. \[OUTPUT_OCCUPIED\]$/);
    const endless = await run('simulate', '--output', `${base}/other`);
    expect(endless.code).toBe(2);
    expect(oneLine(endless.stderr)).toMatch(/--events.* \[USAGE\]$/);
  });
});
