// The real program against TenantManager and churn scoring of our own, on 127.0.0.1: well, slow, down, back again.
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { type Asked, isAtRisk, isScoring, type Profile, TestServices } from '../support/test-services.ts';
import { checkpointReached, filesBelow, temporaryFolder } from './folders.ts';
import { canonical, deadLetters, difference, lines, resultDifference, resultOf, unfinished } from './outputs.ts';
import { completeReplay, type Replay, startReplay } from './program.ts';

const DAY_MS = 86_400_000;
const START = Date.UTC(2025, 0, 1);
const COMPANIES = 40;
const JOBS = 1500;

interface Row {
  companyID: string;
  job30: number;
  job90: number;
  riskOfChurn: boolean | null;
  churnProbability?: number;
  reasons?: unknown;
  modelVersion?: string;
  scoreStatus: string;
  riskChanged?: string;
  trigger: string;
  eventID: string;
  version: number;
  companyStale: boolean;
}

let folder: string;
let jobLines: string[];
let tenants: Map<string, Profile>;
let services: TestServices;
let healthy: Replay;

const profileOf = (companyID: string, nth: number): Profile => ({
  companyID,
  industry: 'retail',
  revenu: 1000 + nth,
  employees: 10 + nth,
  job30: nth,
  job90: 3 * nth,
  monthlyFee: 100,
  totalFee: 1200 + nth,
  updatedAt: START - DAY_MS,
});

/** The companies file knows all but `only-there`; TenantManager all but `only-here`; nobody `nobody`. */
async function writeInputs(): Promise<void> {
  const random = seededRandom(11);
  const names = [...Array.from({ length: COMPANIES }, (_, nth) => `comp/${nth} ž`), 'only-here', 'only-there'];
  const profiles = new Map(names.map((name, nth) => [name, profileOf(name, nth)]));
  tenants = new Map([...profiles].filter(([name]) => name !== 'only-here'));
  const known = [...profiles].filter(([name]) => name !== 'only-there').map(([, profile]) => profile);
  await writeFile(`${folder}/companies.jsonl`, known.map((profile) => `${JSON.stringify(profile)}\n`).join(''));
  jobLines = Array.from({ length: JOBS }, (_, nth) => {
    const companyID = nth % 300 === 17 ? 'nobody' : names[Math.floor(random() * names.length)];
    const creationDate = START + Math.floor((nth * 40 * DAY_MS) / JOBS);
    return JSON.stringify({ companyID, userID: `user_${nth % 7}`, nbJobs: Math.floor(random() * 4), creationDate });
  });
  await writeFile(`${folder}/jobs.jsonl`, jobLines.map((line) => `${line}\n`).join(''));
}

const replayInto = (output: string, ...settings: string[]): Replay => ({
  companies: `${folder}/companies.jsonl`,
  jobs: `${folder}/jobs.jsonl`,
  output: `${folder}/${output}`,
  // Services are of this process: when it stands still for a while, they are not ill.
  settings: services.settings('checkpoint.interval=50ms', 'tenant.timeout=60s', 'score.timeout=60s', ...settings),
});

async function rowsOf({ output }: Replay): Promise<Row[]> {
  return (await lines(output)).map((line) => JSON.parse(line) as Row);
}

/** Of each company, its rows by version. */
function byCompany(rows: readonly Row[]): Map<string, Row[]> {
  const all = new Map<string, Row[]>();
  for (const row of rows) all.set(row.companyID, [...(all.get(row.companyID) ?? []), row]);
  for (const own of all.values()) own.sort((a, b) => a.version - b.version);
  return all;
}

/** Lets the services be ill in this way until they were asked so often, then well. */
function illFor(calls: number, is: (asked: Asked) => boolean, status: number): void {
  let left = calls;
  services.illness = (asked) => (is(asked) && left-- > 0 ? status : undefined);
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeInputs();
  services = new TestServices(tenants);
  await services.start();
  healthy = replayInto('healthy', 'tenantManagerToken=token-7', 'predictChurnApiKey=key-7');
  await completeReplay(healthy);
});
afterAll(() => services.stop());
beforeEach(() => {
  services.illness = () => undefined;
  services.delayMs = 0;
});

describe('with both services well', () => {
  test('each company is asked for once, with the token; each set of features is scored once, with the key', () => {
    const lookups = services.lookups();
    const names = lookups.map(({ url }) => decodeURIComponent(url.slice('/api/v1/tenants/'.length)));
    expect(names.sort()).toEqual([...tenants.keys(), 'nobody', 'only-here'].sort());
    expect(new Set(lookups.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer token-7']));
    const scorings = services.scorings();
    expect(new Set(scorings.map(({ headers }) => headers['x-api-key']))).toEqual(new Set(['key-7']));
    expect(new Set(scorings.map(({ headers }) => headers['content-type']))).toEqual(new Set(['application/json']));
    const bodies = scorings.map(({ body }) => body);
    expect(new Set(bodies).size).toBe(bodies.length);
    expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ industry: 'retail', monthlyFee: 100 });
  });

  test('a company that neither knows is a dead letter with the bytes that came; one that either knows has rows', async () => {
    const letters = await deadLetters(healthy.output);
    const wanted = jobLines.flatMap((line, index) => (line.includes('"nobody"') ? [[index + 1, line]] : []));
    expect(wanted.length).toBeGreaterThan(3);
    expect(letters.map(({ reason }) => reason)).toEqual(wanted.map(() => 'unknown-company'));
    expect(
      letters.map(({ sequenceNumber, payload }) => [Number(sequenceNumber), Buffer.from(payload, 'base64').toString()]),
    ).toEqual(wanted);
    const companies = byCompany(await rowsOf(healthy));
    expect([...companies.keys()].sort()).toEqual([...tenants.keys(), 'only-here'].sort());
  });

  test('rows carry the score of their counts, and no default', async () => {
    for (const row of await rowsOf(healthy)) {
      const churn = isAtRisk(row.job30, row.job90);
      expect(row).toMatchObject({
        riskOfChurn: churn,
        churnProbability: churn ? 0.75 : 0.25,
        reasons: [`job30=${row.job30}`],
        modelVersion: 'm-1',
        scoreStatus: 'scored',
        companyStale: false,
      });
    }
  });

  test('riskChanged stands on the rows where the risk flipped, and on no other', async () => {
    let flips = 0;
    for (const rows of byCompany(await rowsOf(healthy)).values()) {
      expect(rows.map(({ version }) => version)).toEqual(rows.map((_, index) => index + 1));
      for (const [index, row] of rows.entries()) {
        const before = rows[index - 1];
        const isFlip = before !== undefined && before.riskOfChurn !== row.riskOfChurn;
        if (isFlip) flips++;
        expect(row.riskChanged).toBe(isFlip ? (row.riskOfChurn ? 'at-risk' : 'recovered') : undefined);
      }
    }
    expect(flips).toBeGreaterThan(100);
  });

  test('there are rows of decay, scored as well', async () => {
    const decay = (await rowsOf(healthy)).filter(({ trigger }) => trigger === 'decay');
    expect(decay.length).toBeGreaterThan(10);
  });

  test('secrets are in no file of the output', async () => {
    for (const path of await filesBelow(healthy.output)) {
      const bytes = await readFile(`${healthy.output}/${path}`);
      for (const secret of ['token-7', 'key-7']) expect(bytes.includes(secret), path).toBe(false);
    }
  });
});

describe('churn scoring answers 500 for a while, then is back', () => {
  test('rows leave unavailable, without a risk; the scored one of each follows, same version and event', async () => {
    illFor(60, isScoring, 500);
    const replay = replayInto('score-500', 'score.retries=0', 'score.breaker.failures=1000');
    await completeReplay(replay);
    const rows = await rowsOf(replay);
    const unavailable = rows.filter(({ scoreStatus }) => scoreStatus === 'unavailable');
    expect(unavailable.length).toBeGreaterThan(20);
    const scored = new Map(
      rows.filter(({ scoreStatus }) => scoreStatus === 'scored').map((row) => [`${row.companyID} ${row.version}`, row]),
    );
    expect(scored.size).toBe(rows.length - unavailable.length);
    for (const row of unavailable) {
      expect(row.riskOfChurn).toBeNull();
      expect(row.riskChanged).toBeUndefined();
      const { eventID, job30, job90, trigger } = row;
      expect(scored.get(`${row.companyID} ${row.version}`)).toMatchObject({ eventID, job30, job90, trigger });
    }
    expect(scored.size).toBe((await rowsOf(healthy)).length);
    expect(await canonical(replay.output)).toBe(await canonical(healthy.output));
  });

  test('with room for few rows to be scored later, and a breaker, nothing is lost either', async () => {
    services.illness = (asked) => (isScoring(asked) ? 503 : undefined);
    const replay = replayInto('score-full', 'score.retries=0', 'rescore.capacity=5', 'score.breaker.failures=50');
    const before = services.scorings().length;
    const program = startReplay(replay);
    // Five that wait, and each is asked for again: the store is full.
    while (services.scorings().length < before + 20 && !program.hasEnded()) await sleep(20);
    expect(program.hasEnded()).toBe(false);
    services.illness = () => undefined;
    expect(await program.ended).toMatchObject({ code: 0 });
    expect(await canonical(replay.output)).toBe(await canonical(healthy.output));
    const rows = await rowsOf(replay);
    expect(rows.filter(({ scoreStatus }) => scoreStatus === 'scored')).toHaveLength((await rowsOf(healthy)).length);
  });
});

describe('TenantManager is down', () => {
  test('from the start, then up: nothing is lost, no dead letter, no row is stale', async () => {
    await services.stop();
    const replay = replayInto('tenants-down');
    const program = startReplay(replay);
    await checkpointReached(replay.output, 5, program); // Checkpoints go on meanwhile.
    expect(program.hasEnded()).toBe(false);
    expect(await lines(replay.output)).toEqual([]);
    await services.start();
    expect(await program.ended).toMatchObject({ code: 0 });
    expect(resultDifference(await resultOf(replay.output), await resultOf(healthy.output))).toBeUndefined();
  });

  test('right after a restart: what was held goes on', async () => {
    await services.stop();
    const replay = replayInto('tenants-restart');
    for (let nth = 1; nth <= 3; nth++) {
      const program = startReplay(replay);
      await checkpointReached(replay.output, 4 * nth, program);
      program.send(nth === 2 ? 'SIGTERM' : 'SIGKILL');
      await program.ended;
    }
    await services.start();
    await completeReplay(replay);
    expect(resultDifference(await resultOf(replay.output), await resultOf(healthy.output))).toBeUndefined();
  });

  test('after an answer was had: it serves beyond its TTL, and the rows say so', async () => {
    const only = `${folder}/one-company.jsonl`;
    const mine = jobLines.filter((line) => line.includes('"comp/3 ž"'));
    await writeFile(only, mine.map((line) => `${line}\n`).join(''));
    let answers = 1;
    services.illness = ({ method }) => (method === 'GET' && answers-- <= 0 ? 503 : undefined);
    const settings = ['tenant.cache.ttl=0ms', 'tenant.retries=0', 'tenant.breaker.failures=2'];
    const replay = { ...replayInto('tenants-stale', ...settings), jobs: only };
    services.delayMs = 5;
    await completeReplay(replay);
    const stale = (await rowsOf(replay)).filter(({ companyStale, trigger }) => companyStale && trigger === 'job');
    expect(stale.length).toBeGreaterThanOrEqual(mine.length - 2);
    expect(await deadLetters(replay.output)).toEqual([]);
  });
});

describe('killed with calls in flight', () => {
  test('100 events of one company, among others, and slow answers: each row once, versions in the order of events', async () => {
    const busy = Array.from({ length: 100 }, (_, nth) => ({
      companyID: 'only-there',
      userID: 'u',
      nbJobs: 1 + (nth % 3),
      creationDate: START + 41 * DAY_MS + nth * 1000,
      eventID: `busy-${String(nth).padStart(3, '0')}`,
    }));
    const jobs = `${folder}/busy.jsonl`;
    const others = jobLines.slice(0, 200);
    await writeFile(jobs, [...others, ...busy.map((job) => JSON.stringify(job))].map((line) => `${line}\n`).join(''));
    const left = { ...replayInto('busy-left'), jobs };
    await completeReplay(left);
    const killed = { ...replayInto('busy-killed'), jobs };
    services.delayMs = 80;
    services.mostInFlight = 0;
    let checkpoint = 0;
    for (let kills = 0; kills < 6; kills++) {
      const program = startReplay(killed);
      checkpoint = await checkpointReached(killed.output, checkpoint + 4, program);
      expect(program.hasEnded()).toBe(false);
      program.send('SIGKILL');
      await program.ended;
    }
    expect(services.mostInFlight).toBeGreaterThan(10);
    services.delayMs = 0;
    await completeReplay(killed);
    expect(resultDifference(await resultOf(killed.output), await resultOf(left.output))).toBeUndefined();
    expect(difference(await lines(killed.output), await lines(left.output))).toBeUndefined();
    expect(await unfinished(killed.output)).toEqual([]);
    const own = byCompany(await rowsOf(killed)).get('only-there') ?? [];
    expect(own.map(({ version }) => version)).toEqual(own.map((_, index) => index + 1));
    const busyRows = own.filter(({ eventID }) => eventID.startsWith('busy-'));
    expect(busyRows.map(({ eventID }) => eventID)).toEqual(busy.map(({ eventID }) => eventID));
  });
});
