// The live application killed with SIGKILL, on streams that split and merge, behind a Kinesis that throttles.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KinesisApi } from '../../src/connectors/kinesis/kinesis-api.ts';
import { startKinesisFaultProxy } from '../support/kinesis-fault-proxy.ts';
import type { LocalKinesis } from '../support/local-kinesis.ts';
import { TestServices } from '../support/test-services.ts';
import {
  byCompany,
  companyProfile,
  expectExact,
  jobsOf,
  kill,
  LiveApplication,
  liveKinesis,
  stopWell,
  until,
} from './live.ts';

let kinesis: LocalKinesis;
let api: KinesisApi;
beforeAll(async () => {
  ({ kinesis, api } = await liveKinesis());
});

const names = (count: number) => Array.from({ length: count }, (_, nth) => `comp_${nth}`);

/** The users of a company's rows, in order of versions: they are numbered as they were sent. */
function expectInOrder(rows: Parameters<typeof byCompany>[0]): void {
  for (const own of byCompany(rows).values()) {
    expect(own.map(({ userID }) => Number(userID))).toEqual(own.map((_, index) => index));
  }
}

describe('killed with 100 lookups of one company waiting', () => {
  const services = new TestServices(new Map(['comp_0', 'comp_1'].map((name) => [name, companyProfile(name)])));
  beforeAll(() => services.start());
  afterAll(() => services.stop());

  test('its rows leave in the order of arrival, versions 1 to 100, each once', async () => {
    const live = await LiveApplication.create({ kinesis, api, settings: services.settings('scoring=off') });
    services.illness = () => 'hangs';
    await live.put(jobsOf(['comp_0'], 60));
    for (const held of [60, 100]) {
      const program = live.start('tenant.timeout=60s');
      await until(`${held} held`, program, async () => (await live.jobsInCheckpoint()) === held);
      await until('a lookup under way', program, () => services.inFlight > 0);
      if (held === 60) await live.put(jobsOf(['comp_0'], 40, 60));
      expect(await live.rows()).toEqual([]);
      await kill(program);
      services.inFlight = 0;
    }
    services.illness = () => undefined;
    services.delayMs = 200;
    const program = live.start();
    await live.rowsReached(100, program);
    await stopWell(program);
    const outcome = await live.outcome();
    expectExact(outcome, 'killed');
    expectInOrder(outcome.rows);
    expect(outcome.rows).toHaveLength(100);
    expect(outcome.deadLetters).toEqual([]);
  });
});

describe('shards that split and merge', () => {
  test('while it runs and checkpoints, is stopped and killed: each event is counted once, those of a company in order', async () => {
    const companies = names(12);
    const live = await LiveApplication.create({ kinesis, api, shards: 2 });
    await live.putCompanies(...companies);
    const shard = (number: number) => `shardId-${String(number).padStart(12, '0')}`;
    let sent = 0;
    const send = async (count: number) => {
      await live.put(jobsOf(companies, count * companies.length, sent / companies.length));
      sent += count * companies.length;
    };

    let program = live.start();
    await send(10);
    await live.rowsReached(sent, program);
    await send(5);
    await kinesis.split(live.jobs, shard(0)); // into 2 and 3
    await send(5);
    await until('parents read', program, async () => (await live.jobsInCheckpoint()) > sent - 5 * companies.length);
    await kill(program);

    await send(5);
    await kinesis.merge(live.jobs, shard(2), shard(3)); // into 4
    await send(5);
    program = live.start();
    await kinesis.merge(live.jobs, shard(4), shard(1)); // into 5
    await send(5);
    await until('some of it read', program, async () => (await live.jobsInCheckpoint()) > sent - 10 * companies.length);
    await kill(program);
    await kinesis.split(live.jobs, shard(5)); // into 6 and 7
    await send(5);
    program = live.start();
    await live.rowsReached(sent, program);
    await send(5);
    await live.rowsReached(sent, program);
    await stopWell(program);

    const outcome = await live.outcome();
    expect(new Set(outcome.sent.map(({ shardId }) => shardId)).size).toBe(8);
    expectExact(outcome, 'killed');
    expectInOrder(outcome.rows);
  });

  test('split while it runs, without a crash: no enriched company comes twice', async () => {
    const companies = names(6);
    const live = await LiveApplication.create({ kinesis, api });
    await live.putCompanies(...companies);
    const program = live.start();
    await live.put(jobsOf(companies, 30));
    await live.rowsReached(30, program);
    await live.put(jobsOf(companies, 30, 5));
    await kinesis.split(live.jobs, 'shardId-000000000000');
    await live.put(jobsOf(companies, 60, 10));
    await live.rowsReached(120, program);
    await stopWell(program);
    const outcome = await live.outcome();
    expectExact(outcome, 'never killed');
    expectInOrder(outcome.rows);
  });
});

describe('Kinesis throttles reads and refuses three of ten rows', () => {
  test('nothing is lost, nothing comes twice, rows of a company arrive in order', async () => {
    const companies = names(20);
    const proxy = await startKinesisFaultProxy(kinesis.endpoint, 7, { throttledReads: 0.3, rejectedEntries: 0.3 });
    const live = await LiveApplication.create({
      kinesis,
      api,
      shards: 2,
      settings: [`aws.endpoint=${proxy.endpoint}`],
    });
    await live.putCompanies(...companies);
    const program = live.start();
    await live.put(jobsOf(companies, 300));
    await live.rowsReached(300, program);
    await live.put(jobsOf(companies, 100, 15));
    await live.rowsReached(400, program);
    await stopWell(program);
    expect(proxy.counts.throttledReads).toBeGreaterThan(0);
    expect(proxy.counts.rejectedEntries).toBeGreaterThan(100);
    const outcome = await live.outcome();
    expectExact(outcome, 'never killed');
    expectInOrder(outcome.rows);
    await proxy.stop();
  });
});

describe('Kinesis is away for a while, loses answers and cuts connections', () => {
  test('events and rows wait for it: each event is counted once, and each enriched company arrives', async () => {
    const companies = names(20);
    const proxy = await startKinesisFaultProxy(kinesis.endpoint, 11);
    const live = await LiveApplication.create({ kinesis, api, settings: [`aws.endpoint=${proxy.endpoint}`] });
    await live.putCompanies(...companies);
    const program = live.start();
    await live.put(jobsOf(companies, 100));
    await live.rowsReached(100, program);
    proxy.faults = { ...proxy.faults, failing: 1 };
    proxy.cutAll();
    await live.put(jobsOf(companies, 100, 5));
    await until('refused requests', program, () => proxy.counts.failing > 10);
    // Rows wait to be sent: the first that are lose their answer, later ones now and then.
    proxy.faults = { ...proxy.faults, failing: 0, lostAnswers: 1 };
    await until('a lost answer', program, () => proxy.counts.lostAnswers > 0);
    proxy.faults = { ...proxy.faults, lostAnswers: 0.3, cut: 0.1 };
    await live.rowsReached(200, program);
    await live.put(jobsOf(companies, 200, 10));
    await live.rowsReached(400, program);
    // A stop waits 20 s for rows to be accepted, and no more: it must not be left to chance here.
    proxy.faults = { ...proxy.faults, lostAnswers: 0, cut: 0 };
    await stopWell(program);
    const outcome = await live.outcome();
    expectExact(outcome, 'killed'); // what was sent again because its answer was lost may be there twice
    expectInOrder(outcome.rows);
    await proxy.stop();
  });
});

describe('with enhanced fan-out', () => {
  test('killed and started again, over a split: each event is counted once, those of a company in order', async () => {
    const companies = names(10);
    const settings = ['jobs.stream.consumer=EFO', 'companies.stream.consumer=EFO'];
    const live = await LiveApplication.create({ kinesis, api, settings });
    await live.putCompanies(...companies);
    await live.put(jobsOf(companies, 50));
    let program = live.start();
    await live.rowsReached(50, program);
    await live.put(jobsOf(companies, 50, 5));
    await kinesis.split(live.jobs, 'shardId-000000000000');
    await until('some of it read', program, async () => (await live.jobsInCheckpoint()) > 50);
    await kill(program);
    await live.put(jobsOf(companies, 50, 10));
    program = live.start();
    await live.rowsReached(150, program);
    await live.put(jobsOf(companies, 50, 15));
    await live.rowsReached(200, program);
    await stopWell(program);
    const outcome = await live.outcome();
    expectExact(outcome, 'killed');
    expectInOrder(outcome.rows);
  });
});
