import { LIMITS } from '../../src/base/limits.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { SimulatedKinesis } from '../support/simulated-kinesis.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import { CRASH_POINTS } from './crash-points.ts';
import { type LiveEnd, LiveLife, type LiveSetting, type Strikes } from './live-life.ts';
import { committed, wrongInFiles, wrongInStream } from './live-outcome.ts';
import { faultsOf, LateListings, Producers, STREAMS, troubleOf } from './live-streams.ts';
import { SimulatedDisk } from './simulated-files.ts';

export interface LiveResult {
  readonly lives: readonly LiveEnd[];
  /** Everything that breaks a promise; empty when the theorem holds. */
  readonly wrong: readonly string[];
  readonly warnings: readonly string[];
  readonly rows: number;
  readonly decayRows: number;
  readonly deadLetters: number;
}

const NONE: Strikes = { at: undefined, occurrence: 0, atOperation: 0 };
const MIDNIGHT = Date.UTC(2027, 0, 16);
const MOST_LIVES = 5;
/** How long it may take, once nothing fails any more, until everything is read. */
const MOST_CATCHING_UP_MS = 5 * 60_000;

/**
 * Runs the live program on simulated streams and a simulated disk, in virtual time, struck again and again, until it is
 * stopped cleanly with everything read. All of it is a function of the seed.
 */
export async function simulateLive(seed: number): Promise<LiveResult> {
  const random = seededRandom(seed);
  const below = (count: number) => Math.floor(random() * count);
  let time = new VirtualTime(MIDNIGHT - below(120_000));
  const clock = { now: () => time.now };
  const kinesis = new SimulatedKinesis({ clock, sleep: (ms, signal) => time.after(ms, signal) });
  kinesis.signalsShardEnd = random() < 0.7;
  kinesis.eventRecords = 1 + below(50);
  const producers = new Producers(kinesis, random, clock.now);
  const trouble = troubleOf(random);
  const setting = settingOf(random, time.now);
  const disk = new SimulatedDisk();
  const listings = new LateListings(random, random() < 0.5 ? 0.5 : 0);
  const warnings: string[] = [];
  const lives: LiveEnd[] = [];
  const sentBy: number[] = [];
  const seen = new Map<string, Uint8Array>();
  for (let count = 0; count < 5; count++) producers.putCompany(`comp_${count}`);
  for (let count = below(6); count > 0; count--) producers.putJobs();
  await time.advance(below(5000));

  const live = async (isLast: boolean): Promise<LiveEnd> => {
    kinesis.faults = faultsOf(trouble, random);
    const ends = { disk, kinesis, listings, time };
    const life = new LiveLife(ends, random, isLast ? NONE : strikesOf(random), (message) => warnings.push(message));
    life.start(setting);
    const moments = 10 + below(30);
    const isKilled = !isLast && random() < 0.5;
    for (let moment = 0; moment < moments && life.end === undefined; moment++) {
      producers.act();
      await time.advance(below(random() < 0.1 ? 5000 : 700));
    }
    if (life.end !== undefined && !isLast) return life.end;
    if (isKilled) life.crash('some moment');
    else if (isLast) await catchUp(life, time, producers, kinesis);
    for (let waited = 0; life.end === undefined && waited < 60; waited++) {
      life.engine?.stop(); // it may still be starting
      await time.advance(1000);
    }
    if (life.end === undefined) throw new Error('it does not end');
    return life.end;
  };

  for (let count = 1 + below(MOST_LIVES); count > 0; count--) {
    const end = await live(count === 1);
    // A start may fail while Kinesis does.
    if (count === 1 && end.kind === 'failed' && lives.length < 3 * MOST_LIVES) count++;
    lives.push(end);
    sentBy.push(kinesis.arrived(STREAMS.rows).length);
    if (end.kind === 'crashed') disk.crash(random);
    for (const [path, bytes] of visibleParts(disk)) seen.set(path, bytes);
    // Nobody runs for a while: seconds, or minutes.
    time = new VirtualTime(time.now + 1500 + below(random() < 0.3 ? 400_000 : 5000));
    if (count > 1) for (let acts = below(5); acts > 0; acts--) producers.act();
  }
  const result = await committed(disk);
  const lost = trouble.lostAnswer > 0;
  const wrong = [...wrongInFiles(result, producers.jobs), ...wrongInStream(kinesis, result.rows, sentBy, lost)];
  const last = lives.at(-1);
  if (last?.kind !== 'stopped') wrong.push(`the last life: ${JSON.stringify(last)}`);
  wrong.push(...kinesis.violations.map((violation) => `read limit: ${JSON.stringify(violation)}`));
  const parts = visibleParts(disk);
  for (const [path, bytes] of seen) {
    if (Buffer.compare(parts.get(path) ?? new Uint8Array(0), bytes) !== 0) wrong.push(`${path} changed`);
  }
  const decayRows = result.rows.filter((row) => row.includes('"trigger":"decay"')).length;
  const { rows, deadLetters } = result;
  return { lives, wrong, warnings, rows: rows.length, decayRows, deadLetters: deadLetters.length };
}

/** Nothing fails any more; all that was put is read. */
async function catchUp(
  life: LiveLife,
  time: VirtualTime,
  producers: Producers,
  kinesis: SimulatedKinesis,
): Promise<void> {
  kinesis.faults = {};
  let before = -1;
  for (let waited = 0; life.end === undefined && waited < MOST_CATCHING_UP_MS; waited += 15_000) {
    await time.advance(15_000);
    const { 'records.jobs': jobs = 0, 'records.companies': companies = 0 } = life.engine?.counters ?? {};
    const isAll = jobs >= producers.jobs.length && companies >= producers.companyRecords;
    // With LATEST some jobs are never read: those that arrived before.
    if (isAll || (jobs + companies === before && waited >= 60_000)) return;
    before = jobs + companies;
  }
}

function visibleParts(disk: SimulatedDisk): Map<string, Uint8Array> {
  return new Map([...disk.files()].filter(([path]) => /\/part-[^/]*$/.test(path)));
}

function settingOf(random: Random, now: number): LiveSetting {
  const oneOf = <T>(...values: readonly [T, ...T[]]): T => values[Math.floor(random() * values.length)] ?? values[0];
  return {
    limits: {
      ...LIMITS,
      pressureHighBytes: oneOf(1000, 1e6),
      pressureLowBytes: 100,
      flushBytes: oneOf(1, 300, 1e6),
      openParts: oneOf(1, 3, 128),
      openFiles: oneOf(1, 2, 128),
      finishedPartBytes: 50,
      timersPerTurn: oneOf(1, 1024),
      compactionMinBytes: oneOf(1, 500, 1e6),
      compactionChain: oneOf(2, 500),
      readsAtOnce: oneOf(1, 2, 16),
      readAheadBytes: oneOf(400, 2000, 1e8),
    },
    texts: {
      'checkpoint.interval': oneOf('200 ms', '1 s', '3 s'),
      'sink.roll.size': `${oneOf(1000, 1e6)} B`,
      'sink.roll.age': oneOf('2 s', '10 min'),
      'watermark.outOfOrderness': oneOf('0 ms', '2 s', '60 s'),
      'watermark.idle': oneOf('1 s', '5 s', '30 s'),
    },
    consumer: oneOf('POLLING', 'POLLING', 'EFO'),
    initial: oneOf({ type: 'TRIM_HORIZON' }, { type: 'LATEST' }, { type: 'AT_TIMESTAMP', timestamp: now + 1000 }),
  };
}

function strikesOf(random: Random): Strikes {
  const kind = random();
  const at = CRASH_POINTS[Math.floor(random() * CRASH_POINTS.length)];
  const occurrence = 1 + Math.floor(random() * random() * 12);
  if (kind < 0.45) return { at, occurrence, atOperation: 0 };
  return kind < 0.7 ? { ...NONE, atOperation: 1 + Math.floor(random() * random() * 300) } : NONE;
}
