import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { SimulatedKinesis } from '../support/simulated-kinesis.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import { LiveLife, type LiveSetting, STATE } from './live-life.ts';
import { committed } from './live-outcome.ts';
import { LateListings, STREAMS } from './live-streams.ts';
import { SimulatedDisk } from './simulated-files.ts';

const MINUTE = 60_000;
const NO_STRIKES = { at: undefined, occurrence: 0, atOperation: 0 };

/** The live program on simulated streams of one shard each, where nothing fails that is not said to. */
function world(texts: Record<string, string> = {}) {
  const time = new VirtualTime(Date.UTC(2027, 0, 16, 10));
  const kinesis = new SimulatedKinesis({ clock: time.clock, sleep: (ms, signal) => time.after(ms, signal) });
  for (const stream of Object.values(STREAMS)) kinesis.createStream(stream);
  const disk = new SimulatedDisk();
  const listings = new LateListings(() => 1, 0);
  const setting: LiveSetting = {
    limits: LIMITS,
    texts: { 'checkpoint.interval': '1 s', ...texts },
    consumer: 'POLLING',
    initial: { type: 'TRIM_HORIZON' },
  };
  const warnings: string[] = [];
  const start = () => {
    const life = new LiveLife(
      { disk, kinesis, listings, time },
      () => 0.5,
      NO_STRIKES,
      (message) => warnings.push(message),
    );
    life.start(setting);
    return life;
  };
  const company = { industry: 'x', revenu: 1, employees: 2, job30: 0, job90: 0, monthlyFee: 3, totalFee: 4 };
  kinesis.put(STREAMS.companies, 'comp_1', JSON.stringify({ companyID: 'comp_1', ...company }));
  let jobs = 0;
  const putJob = (more: object = {}) =>
    kinesis.put(
      STREAMS.jobs,
      'comp_1',
      JSON.stringify({ companyID: 'comp_1', userID: `u${jobs++}`, nbJobs: 1, ...more }),
    );
  const checkpoints = () => [...disk.files()].map(([path]) => path).filter((path) => path.startsWith(`${STATE}/`));
  const sent = () => kinesis.arrived(STREAMS.rows).map(({ data }) => Buffer.from(data).toString());
  return { time, kinesis, disk, start, putJob, checkpoints, sent, warnings };
}

describe('a quiet stream', () => {
  it('makes no checkpoint files, however long it is quiet, and the next record makes one', async () => {
    const { time, start, putJob, checkpoints } = world({ 'sink.roll.age': '10 s' });
    const life = start();
    await time.advance(2000);
    putJob();
    await time.advance(30_000); // its part is complete and visible by then
    const before = checkpoints();
    expect(life.engine?.counters['rows.rows']).toBe(1);
    await time.advance(10 * MINUTE);
    expect(checkpoints()).toEqual(before);
    expect(life.engine?.status().lastCheckpoint?.at).toBeGreaterThan(time.now - 2000);
    putJob();
    await time.advance(2000);
    expect(checkpoints()).not.toEqual(before);
    life.engine?.stop();
    await time.advance(2000);
    expect(life.end).toMatchObject({ kind: 'stopped' });
  });

  it('still lets time pass: at midnight the row of a company that fell silent leaves, and is committed', async () => {
    const { time, start, putJob, disk, sent } = world();
    const life = start();
    await time.advance(2000);
    putJob({ creationDate: time.now - 29 * 24 * 60 * MINUTE });
    await time.advance(2 * MINUTE);
    expect(sent()).toHaveLength(1);
    // Not all of the day in steps of 200 ms.
    life.engine?.stop();
    await time.advance(2000);
    expect(life.end).toMatchObject({ kind: 'stopped' });
    const midnight = Date.UTC(2027, 0, 17);
    await time.advance(midnight - MINUTE - time.now);
    const second = start();
    await time.advance(3 * MINUTE);
    second.engine?.stop();
    await time.advance(2000);
    const { rows } = await committed(disk);
    expect(rows.filter((row) => row.includes('"trigger":"decay"'))).toHaveLength(1);
    expect(sent()).toHaveLength(2);
  });
});

describe('a stop', () => {
  it('while enrichedcompanies takes no rows ends in time, and the next start sends every row', async () => {
    const { time, kinesis, start, putJob, disk, sent } = world();
    const first = start();
    await time.advance(2000);
    putJob();
    await time.advance(3000);
    expect(sent()).toHaveLength(1);
    kinesis.faults.rejectEntry = () => 'ProvisionedThroughputExceededException';
    for (let count = 0; count < 5; count++) putJob();
    await time.advance(5000);
    first.engine?.stop();
    await time.advance(LIMITS.stopMs - 1000);
    expect(first.end).toBeUndefined();
    await time.advance(2000);
    expect(first.end).toEqual({ kind: 'failed', code: 'STOPPED' });
    expect(sent()).toHaveLength(1);

    kinesis.faults = {};
    await time.advance(2000);
    const second = start();
    await time.advance(5000);
    second.engine?.stop();
    await time.advance(5000);
    expect(second.end).toMatchObject({ kind: 'stopped', counters: { 'records.jobs': 6, 'rows.rows': 6 } });
    const { rows } = await committed(disk);
    expect(sent()).toEqual(rows);
    expect(rows).toHaveLength(6);
  });

  it('waits for a stream that takes its rows again before the time is over', async () => {
    const { time, kinesis, start, putJob, sent } = world();
    const life = start();
    await time.advance(2000);
    kinesis.faults.rejectEntry = () => 'InternalFailure';
    putJob();
    await time.advance(2000);
    life.engine?.stop();
    await time.advance(5000);
    kinesis.faults = {};
    await time.advance(12_000);
    expect(life.end).toMatchObject({ kind: 'stopped' });
    expect(sent()).toHaveLength(1);
  });
});

describe('a restart', () => {
  it('that is killed right after its first checkpoint has not forgotten where it was', async () => {
    const { time, start, putJob, disk } = world();
    const first = start();
    await time.advance(2000);
    putJob();
    await time.advance(2000);
    first.engine?.stop();
    await time.advance(2000);
    const second = start();
    await time.advance(50); // it took its first checkpoint, and read nothing yet
    second.crash('test');
    await time.advance(2000);
    const third = start();
    await time.advance(2000);
    third.engine?.stop();
    await time.advance(2000);
    const { rows } = await committed(disk);
    expect(rows).toHaveLength(1);
  });
});
