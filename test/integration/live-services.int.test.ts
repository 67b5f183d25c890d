// The live application while its services are ill, and while a shard is silent.
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { KinesisApi } from '../../src/connectors/kinesis/kinesis-api.ts';
import type { LocalKinesis } from '../support/local-kinesis.ts';
import { isScoring, TestServices } from '../support/test-services.ts';
import {
  byCompany,
  companyProfile,
  expectExact,
  jobsOf,
  kill,
  LiveApplication,
  liveKinesis,
  type Row,
  stopWell,
  until,
} from './live.ts';
import { lines } from './outputs.ts';

const COMPANIES = Array.from({ length: 10 }, (_, nth) => `comp_${nth}`);
const DAY_MS = 86_400_000;

let kinesis: LocalKinesis;
let api: KinesisApi;
const services = new TestServices(new Map(COMPANIES.map((name) => [name, companyProfile(name)])));
beforeAll(async () => {
  ({ kinesis, api } = await liveKinesis());
  await services.start();
});
afterAll(() => services.stop());
beforeEach(() => {
  services.illness = () => undefined;
  services.delayMs = 0;
});

const isScored = ({ scoreStatus }: Row) => scoreStatus === 'scored';
const unavailable = (rows: readonly Row[]) => rows.filter(({ scoreStatus }) => scoreStatus === 'unavailable');
const scored = (rows: readonly Row[]) => rows.filter(isScored);

describe('churn scoring', () => {
  test('answers 500, then never, then too late: rows leave unavailable, and once more with their score when it is well', async () => {
    const live = await LiveApplication.create({
      kinesis,
      api,
      settings: services.settings(
        'score.timeout=400ms',
        'score.retries=0',
        'score.breaker.failures=5',
        'score.breaker.reset=100ms',
      ),
    });
    // On a slow machine a healthy service may seem slow, too: the first twenty may be unavailable at first.
    const fromIllness = (rows: readonly Row[]) => rows.filter(({ userID }) => Number(userID) >= 2);
    const program = live.start();
    await live.put(jobsOf(COMPANIES, 20));
    await until('20 scored', program, async () => scored(await live.rows()).length === 20);

    let sent = 20;
    const illnesses: (() => void)[] = [
      () => {
        services.illness = (asked) => (isScoring(asked) ? 500 : undefined);
      },
      () => {
        services.illness = (asked) => (isScoring(asked) ? 'hangs' : undefined);
      },
      () => {
        services.illness = () => undefined;
        services.delayMs = 4000;
      },
    ];
    for (const fallIll of illnesses) {
      fallIll();
      await live.put(jobsOf(COMPANIES, 20, sent / COMPANIES.length));
      sent += 20;
      await until(
        `${sent} rows`,
        program,
        async () => unavailable(fromIllness(await live.rows())).length === sent - 20,
      );
    }
    expect(scored(fromIllness(await live.rows()))).toEqual([]);
    services.delayMs = 0;
    await until('all scored', program, async () => scored(await live.rows()).length === sent);
    await stopWell(program);

    const { rows, arrived, deadLetters, sent: records } = await live.outcome();
    expect(deadLetters).toEqual([]);
    expect(unavailable(fromIllness(rows))).toHaveLength(60);
    expect(unavailable(fromIllness(arrived))).toHaveLength(60);
    expect(scored(arrived)).toHaveLength(sent);
    // Scores that come later come in any order; of each version the first row that arrives is in order.
    const known = new Set<string>();
    const firsts = arrived.filter(({ companyID, version }) => {
      const isFirst = !known.has(`${companyID} ${version}`);
      known.add(`${companyID} ${version}`);
      return isFirst;
    });
    expectExact({ sent: records, rows: scored(rows), deadLetters, arrived: firsts }, 'never killed');
    const final = new Map(scored(rows).map((row) => [`${row.companyID} ${row.version}`, row]));
    for (const row of unavailable(rows)) {
      expect(row.riskOfChurn).toBeNull();
      const { eventID, job30, job90, userID } = row;
      const later = final.get(`${row.companyID} ${row.version}`);
      expect(later).toMatchObject({ eventID, job30, job90, userID });
      expect(typeof later?.riskOfChurn).toBe('boolean');
    }
  });

  test('is away when the program is killed: rows that wait for a score have it after the restart', async () => {
    const live = await LiveApplication.create({ kinesis, api, settings: services.settings('score.retries=0') });
    services.illness = (asked) => (isScoring(asked) ? 503 : undefined);
    await live.put(jobsOf(COMPANIES, 30));
    const first = live.start();
    // Visible, so committed: a restart does not make them again.
    await until('30 unavailable', first, async () => (await lines(live.output)).length === 30);
    await kill(first);
    services.illness = () => undefined;
    const second = live.start();
    await until('30 scored', second, async () => scored(await live.rows()).length === 30);
    await stopWell(second);
    const { sent, rows, deadLetters, arrived } = await live.outcome();
    expectExact({ sent, rows: scored(rows), deadLetters, arrived: scored(arrived) }, 'killed');
    expectExact({ sent, rows: unavailable(rows), deadLetters, arrived: unavailable(arrived) }, 'killed');
  });
});

describe('TenantManager', () => {
  test('is down from a restart on: events wait for it, over one more restart, and nothing is a dead letter', async () => {
    const live = await LiveApplication.create({ kinesis, api, settings: services.settings('tenant.retries=1') });
    await live.put(jobsOf(COMPANIES, 20));
    let program = live.start();
    await live.rowsReached(20, program);
    await stopWell(program);
    await services.stop();
    onTestFinished(() => services.start());

    for (const from of [2, 4]) {
      program = live.start();
      await live.put(jobsOf(COMPANIES, 20, from));
      await until(
        'checkpoints with events held',
        program,
        async () => (await live.jobsInCheckpoint()) === from * 10 + 20,
      );
      expect(await live.rows()).toHaveLength(20);
      if (from === 2) await kill(program);
    }
    await services.start();
    await live.rowsReached(60, program);
    await stopWell(program);
    const outcome = await live.outcome();
    expect(outcome.deadLetters).toEqual([]);
    expectExact(outcome, 'killed');
    expect(outcome.rows.filter(({ companyStale }) => companyStale)).toEqual([]);
  });

  test('does not know a company: its events are dead letters with their bytes, the others are counted', async () => {
    const live = await LiveApplication.create({ kinesis, api, settings: services.settings() });
    await live.put(jobsOf(['comp_0', 'nobody'], 20));
    const program = live.start();
    await live.rowsReached(10, program);
    await until('10 dead letters', program, async () => (await live.deadLetters()).length === 10);
    await stopWell(program);
    const outcome = await live.outcome();
    expectExact(outcome, 'never killed');
    expect(new Set(outcome.deadLetters.map(({ reason }) => reason))).toEqual(new Set(['unknown-company']));
    const bytes = outcome.deadLetters.map(({ payload }) => Buffer.from(payload, 'base64').toString());
    expect(bytes.sort()).toEqual(
      outcome.sent
        .map(({ text }) => text)
        .filter((text) => text.includes('nobody'))
        .sort(),
    );
  });
});

describe('an empty shard beside a busy one', () => {
  test('does not hold time for good: once it is idle, counts fall by silence', async () => {
    const live = await LiveApplication.create({ kinesis, api, shards: 2 });
    await live.putCompanies('silent', 'busy');
    // All with one partition key: the other shard stays empty.
    const job = (companyID: string, creationDate: number) => ({
      partitionKey: 'key',
      data: JSON.stringify({ companyID, userID: 'u', nbJobs: 3, creationDate }),
    });
    const now = Date.now();
    await live.put([job('silent', now - 40 * DAY_MS), job('busy', now - DAY_MS)]);
    const decays = async () => (await live.rows()).filter(({ trigger }) => trigger === 'decay');

    const waits = live.start('watermark.idle=1h');
    await live.rowsReached(2, waits);
    await live.put([job('busy', now - 1000)]);
    await live.rowsReached(3, waits);
    await stopWell(waits);
    expect(await decays()).toEqual([]);

    const program = live.start('watermark.idle=2s');
    let beats = 0;
    await until('rows of decay', program, async () => {
      if (beats++ % 5 === 0) await live.put([job('busy', now + beats)]); // the busy one is never idle
      return (await decays()).length > 0;
    });
    await stopWell(program);
    expect(new Set((await live.sent()).map(({ shardId }) => shardId)).size).toBe(1);
    const silent = byCompany(await live.rows()).get('silent') ?? [];
    // 30 days after its only jobs they are no more in job30.
    expect(silent.map(({ trigger, job30, nbJobs }) => ({ trigger, job30, nbJobs }))).toMatchObject([
      { trigger: 'job', nbJobs: 3 },
      { trigger: 'decay', nbJobs: 0 },
    ]);
    expect(silent[1]?.job30).toBe((silent[0]?.job30 ?? 0) - 3);
  });
});
