// `start`: the whole system on this machine, from nothing; stopped, killed, started again.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { awsKinesis } from '../../src/connectors/kinesis/aws-kinesis.ts';
import { startLocalKinesis } from '../../src/services/local-kinesis/local-kinesis.ts';
import { family, listeningOf, tellsListeners } from '../support/listening.ts';
import { LOCAL_REGION } from '../support/local-kinesis.ts';
import { contentsOf, put } from '../support/stream-contents.ts';
import { temporaryFolder } from './folders.ts';
import {
  asFirstLeft,
  expectExact,
  jobsOf,
  kill,
  lettersBelow,
  type Outcome,
  type Row,
  rowsBelow,
  stopWell,
  until,
} from './live.ts';
import { oneLine, type Running, run, start } from './program.ts';

const PORTS = [
  '--kinesis-port',
  '--tenant-manager-port',
  '--churn-scoring-port',
  '--metrics-port',
  '--dashboard-port',
] as const;
const freePorts = PORTS.flatMap((flag) => [flag, '0']);
const settings = ['--set', 'checkpoint.interval=100ms', '--set', 'sink.roll.age=300ms'];

function startIn(folder: string, ...words: readonly string[]): Running {
  return start('start', '--folder', folder, ...freePorts, ...settings, ...words);
}

async function endpointOf(program: Running): Promise<string> {
  const address = () => /Kinesis +(http:\S+)/.exec(program.stdout())?.[1];
  await until('the addresses', program, () => address() !== undefined);
  return address() ?? '';
}

async function read(endpoint: string, stream: string) {
  const api = awsKinesis({ region: LOCAL_REGION, endpoint });
  try {
    return await contentsOf(api, stream);
  } finally {
    api.close();
  }
}

/** Starts it once more, sends it so many events, and lets it work off all that is in the stream; returns what it said. */
async function workedOff(folder: string, count = 0): Promise<string> {
  const program = startIn(folder, '--rate', '0');
  const endpoint = await endpointOf(program);
  const api = awsKinesis({ region: LOCAL_REGION, endpoint });
  await put(api, 'bigdatajobs', jobsOf(['comp_0', 'comp_1', 'comp_2'], count));
  api.close();
  const sent = (await read(endpoint, 'bigdatajobs')).length;
  await until(`${sent} rows with a score`, program, async () => {
    const scored = (await rowsBelow(`${folder}/rows`)).filter(({ scoreStatus }) => scoreStatus === 'scored');
    return scored.length + (await lettersBelow(`${folder}/rows`)).length >= sent;
  });
  return (await stopWell(program)).stdout;
}

/** What is in the folder of a system that does not run. */
async function outcomeOf(folder: string): Promise<Outcome> {
  const kinesis = await startLocalKinesis({
    folder: `${folder}/kinesis`,
    port: 0,
    streams: [],
    warn: () => undefined,
    signal: new AbortController().signal,
  });
  try {
    return {
      sent: await read(kinesis.endpoint, 'bigdatajobs'),
      rows: asFirstLeft(await rowsBelow(`${folder}/rows`)),
      deadLetters: await lettersBelow(`${folder}/rows`),
      arrived: asFirstLeft(
        (await read(kinesis.endpoint, 'enrichedcompanies')).map(({ text }) => JSON.parse(text) as Row),
      ),
    };
  } finally {
    await kinesis.stop();
  }
}

const rowsAtLeast = (folder: string, count: number, program: Running) =>
  until(`${count} rows`, program, async () => (await rowsBelow(`${folder}/rows`)).length >= count);

describe('start', () => {
  test('stopped with Ctrl-C and started again, nothing is lost and nothing doubled', async () => {
    const folder = await temporaryFolder();
    const first = startIn(folder, '--rate', '50');
    await rowsAtLeast(folder, 60, first);
    await until('a company on the screen', first, () => / v\d+ \(.*jobs in 30 days/.test(first.stdout()));
    const { stdout, stderr } = await stopWell(first);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/Stopped after [\d,]+ job events and [\d,]+ rows in all/);

    expect(await workedOff(folder, 60)).toMatch(/Going on where it was/);
    const outcome = await outcomeOf(folder);
    expectExact(outcome, 'never killed');
    expect(outcome.deadLetters).toEqual([]);
  });

  test('killed and started again at once, on the same ports, nothing is lost, and no row is there twice', async () => {
    const folder = await temporaryFolder();
    let program = startIn(folder, '--rate', '80');
    const endpoint = await endpointOf(program);
    const samePort = ['--kinesis-port', new URL(endpoint).port];
    await rowsAtLeast(folder, 60, program);
    await kill(program);
    const before = (await rowsBelow(`${folder}/rows`)).length;
    program = startIn(folder, '--rate', '80', ...samePort);
    await rowsAtLeast(folder, before + 60, program);
    await kill(program);
    await workedOff(folder);
    expectExact(await outcomeOf(folder), 'killed');
  });

  test.each(PORTS)('a port that is taken is one line, which names %s', async (flag) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const folder = await temporaryFolder();
    const ended = await run('start', '--folder', folder, ...freePorts, flag, String(port));
    server.close();
    expect(ended.code).toBe(2);
    const line = oneLine(ended.stderr);
    expect(line).toMatch(/\[PORT_TAKEN\]$/);
    expect(line).toContain(`port ${port} on 127.0.0.1 is taken by another program`);
    expect(line).toContain(`choose another port with ${flag}`);
  });

  test.runIf(tellsListeners)('when its Kinesis dies it says so in one line, and started again it goes on', async () => {
    const folder = await temporaryFolder();
    const first = startIn(folder, '--rate', '20');
    await rowsAtLeast(folder, 20, first);
    const [, kinesis] = await family(first.pid);
    process.kill(kinesis ?? Number.NaN, 'SIGKILL');
    const ended = await first.ended;
    expect(ended.code).toBe(1);
    expect(oneLine(ended.stderr)).toMatch(
      /local Kinesis ended by itself \(SIGKILL\)\. Start again.*\[SERVICE_FAILED\]$/,
    );
    const before = (await rowsBelow(`${folder}/rows`)).length;
    const second = startIn(folder, '--rate', '20');
    await rowsAtLeast(folder, before + 30, second);
    await stopWell(second);
  });

  test('a folder that cannot be made is one line', async () => {
    const ended = await run('start', '--folder', '/dev/null/below');
    expect(ended.code).toBe(1);
    expect(oneLine(ended.stderr)).toMatch(/--folder: cannot make the folder .*\[STORAGE_FAILED\]$/);
  });
});

describe('a system that runs', () => {
  let folder: string;
  let program: Running;
  beforeAll(async () => {
    folder = await temporaryFolder();
    program = startIn(folder, '--rate', '0');
    await until('the application', program, () => program.stdout().includes('Enriched companies as they arrive'));
  });

  test.runIf(tellsListeners)('listens on 127.0.0.1, and on nothing else', async () => {
    const addresses = await listeningOf(program.pid);
    expect(addresses.length).toBeGreaterThanOrEqual(3);
    for (const address of addresses) expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test('keeps a second one out of its folder, which is told so in one line', async () => {
    const second = await startIn(folder).ended;
    expect(second.code).toBe(1);
    expect(oneLine(second.stderr)).toMatch(
      new RegExp(`^tenant-analytics: ${folder} is in use by process ${program.pid}\\. .*stop it, .*\\[LOCKED\\]$`),
    );
  });

  test('takes records by hand: a good one leaves enriched, others are dead letters, and nothing stops', async () => {
    const folder = await temporaryFolder();
    const program = startIn(folder, '--rate', '0');
    const endpoint = await endpointOf(program);
    const send = async (record: string) => {
      const { code, stdout } = await run('send', record, '--endpoint', endpoint);
      expect({ code, stdout }).toEqual({ code: 0, stdout: 'Sent 1 to bigdatajobs.\n' });
    };
    const good = '{"companyID": "comp_4", "userID": "user_1", "nbJobs": 1}';
    const broken = `{${good}`;
    const future = JSON.stringify({ ...JSON.parse(good), creationDate: Date.now() + 2 * 3_600_000 });
    for (const record of [broken, future, good]) await send(record);
    const arrived = async () => (await read(endpoint, 'enrichedcompanies')).map(({ text }) => JSON.parse(text) as Row);
    await until('the enriched company', program, async () => (await arrived()).length > 0);
    await stopWell(program);

    const outcome = await outcomeOf(folder);
    expect(outcome.sent.map(({ partitionKey }) => partitionKey)).toEqual(Array(3).fill('partitionkey'));
    expectExact(outcome, 'never killed');
    // The fourth company of the seed: 4 jobs in 30 days, 13 in 90.
    const row = { companyID: 'comp_4', industry: 'retail', userID: 'user_1', job30: 5, job90: 14, version: 1 };
    expect(outcome.arrived).toEqual([expect.objectContaining({ ...row, scoreStatus: 'scored' })]);
    const letters = outcome.deadLetters.map(({ reason, payload, source }) => ({
      reason,
      source,
      text: Buffer.from(payload, 'base64').toString(),
    }));
    expect(letters).toEqual([
      { reason: 'malformed', source: 'bigdatajobs', text: broken },
      { reason: 'invalid', source: 'bigdatajobs', text: future },
    ]);
  });
});
