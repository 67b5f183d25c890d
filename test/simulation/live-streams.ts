import type { Random } from '../../src/base/random.ts';
import { KinesisFailure, type PutEntry, type Shard } from '../../src/connectors/kinesis/kinesis-api.ts';
import type { KinesisCall, KinesisFaults, SimulatedKinesis } from '../support/simulated-kinesis.ts';

export const STREAMS = { companies: 'companies', jobs: 'bigdatajobs', rows: 'enrichedcompanies' } as const;

/** One job record, as it was put: a record of its own, or inside an aggregate. */
export interface PutJob {
  /** Nobody else's: rows and dead letters are found by it. */
  readonly userID: string;
  readonly companyID: string;
  readonly nbJobs: number;
  readonly isMalformed: boolean;
  readonly shardId: string;
  readonly eventID: string;
  readonly arrivedAt: number;
}

const COMPANIES = ['comp_0', 'comp_1', 'comp_2', 'comp_3', 'comp_4', 'comp_5'];
const MOST_SHARDS = 4;
const MOST_RESHARDINGS = 8;
const DAY_MS = 86_400_000;

/** The producers of a simulation, and who splits and merges shards. Remembers all that it put. */
export class Producers {
  readonly jobs: PutJob[] = [];
  companyRecords = 0;
  readonly #kinesis: SimulatedKinesis;
  readonly #random: Random;
  readonly #now: () => number;
  /** Of each stream, its open shards in the order of their hash keys. */
  readonly #open = new Map<string, string[]>();
  /** How often all jobs go to the shard of one key, so that others are empty. */
  readonly #hotChance: number;
  #reshardings = 0;

  constructor(kinesis: SimulatedKinesis, random: Random, now: () => number) {
    this.#kinesis = kinesis;
    this.#random = random;
    this.#now = now;
    this.#hotChance = this.#oneOf(0, 0.5, 1);
    for (const stream of [STREAMS.companies, STREAMS.jobs, STREAMS.rows]) {
      const shards = 1 + this.#below(3);
      kinesis.createStream(stream, shards);
      const ids = Array.from({ length: shards }, (_, index) => `shardId-${String(index).padStart(12, '0')}`);
      this.#open.set(stream, ids);
    }
  }

  /** Something happens on the streams, or nothing. */
  act(): void {
    const kind = this.#random();
    if (kind < 0.55) for (let count = this.#below(4); count >= 0; count--) this.putJobs();
    else if (kind < 0.7) this.putCompany();
    else if (kind < 0.76) this.#split(this.#random() < 0.7 ? STREAMS.jobs : STREAMS.companies);
    else if (kind < 0.82) this.#merge(this.#random() < 0.7 ? STREAMS.jobs : STREAMS.companies);
  }

  putCompany(companyID = this.#oneOf(...COMPANIES)): void {
    const restated = this.#random() < 0.2 ? this.#below(50) : 7;
    const record = { companyID, industry: 'x', revenu: 1, employees: 2, job30: restated, job90: 90, monthlyFee: 3 };
    const text = JSON.stringify({ ...record, totalFee: 4 });
    this.#kinesis.put(STREAMS.companies, companyID, this.#random() < 0.1 ? `${text.slice(0, -1)},` : text);
    this.companyRecords++;
  }

  putJobs(): void {
    if (this.#random() < 0.6) {
      const { entry, remember } = this.#job();
      const { shardId, sequenceNumber } = this.#kinesis.put(STREAMS.jobs, entry.partitionKey, entry.data);
      remember(shardId, `${shardId}:${sequenceNumber}`);
      return;
    }
    const jobs = Array.from({ length: 1 + this.#below(6) }, () => this.#job());
    const entries = jobs.map(({ entry }) => entry);
    const { shardId, sequenceNumber } = this.#kinesis.putAggregate(STREAMS.jobs, entries);
    for (const [index, job] of jobs.entries()) job.remember(shardId, `${shardId}:${sequenceNumber}:${index}`);
  }

  #job(): { entry: PutEntry; remember: (shardId: string, eventID: string) => void } {
    const userID = `user_${this.jobs.length + this.#made++}_`;
    const isMalformed = this.#random() < 0.1;
    const companyID = this.#random() < 0.1 ? 'nobody' : this.#oneOf(...COMPANIES);
    const nbJobs = this.#below(5);
    const now = this.#now();
    // Now and then on a day that leaves a window at the next midnight.
    const daysAgo = this.#random() < 0.2 ? this.#oneOf(1, 29, 89) : 0;
    const creationDate = daysAgo > 0 ? { creationDate: now - daysAgo * DAY_MS } : {};
    const text = isMalformed ? `{"${userID}` : JSON.stringify({ companyID, userID, nbJobs, ...creationDate });
    const partitionKey = this.#random() < this.#hotChance ? 'hot' : companyID;
    const remember = (shardId: string, eventID: string) => {
      this.jobs.push({ userID, companyID, nbJobs, isMalformed, shardId, eventID, arrivedAt: now });
    };
    return { entry: { partitionKey, data: Buffer.from(text) }, remember };
  }
  #made = 0;

  #split(stream: string): void {
    const open = this.#open.get(stream) ?? [];
    if (open.length >= MOST_SHARDS || this.#reshardings >= MOST_RESHARDINGS) return;
    this.#reshardings++;
    const at = this.#below(open.length);
    open.splice(at, 1, ...this.#kinesis.split(stream, open[at] ?? ''));
  }

  #merge(stream: string): void {
    const open = this.#open.get(stream) ?? [];
    if (open.length < 2 || this.#reshardings >= MOST_RESHARDINGS) return;
    this.#reshardings++;
    const at = this.#below(open.length - 1);
    open.splice(at, 2, this.#kinesis.merge(stream, open[at] ?? '', open[at + 1] ?? ''));
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #oneOf<T>(...values: readonly T[]): T {
    const value = values[this.#below(values.length)];
    if (value === undefined) throw new Error('nothing to choose from');
    return value;
  }
}

/** How often what goes wrong. */
export interface Trouble {
  readonly throttled: number;
  readonly unavailable: number;
  readonly expired: number;
  readonly falseEnd: number;
  readonly rejected: number;
  readonly lostAnswer: number;
}

export function troubleOf(random: Random): Trouble {
  const oneOf = (...values: number[]) => values[Math.floor(random() * values.length)] ?? 0;
  return {
    throttled: oneOf(0, 0.05, 0.3),
    unavailable: oneOf(0, 0.02, 0.1),
    expired: oneOf(0, 0.05),
    falseEnd: oneOf(0, 0.05, 0.2),
    rejected: oneOf(0, 0.1, 0.3),
    lostAnswer: oneOf(0, 0, 0.05, 0.2),
  };
}

/** Calls that the program makes while it runs, and goes on without. */
const PASSING: ReadonlySet<KinesisCall> = new Set([
  'getRecords',
  'getShardIterator',
  'listShards',
  'subscribeToShard',
  'putRecords',
]);

export function faultsOf(trouble: Trouble, random: Random): KinesisFaults {
  const throttled = new KinesisFailure('throttled', 'ProvisionedThroughputExceededException', 'simulated');
  const unavailable = new KinesisFailure('unavailable', 'InternalFailure', 'simulated');
  const expired = new KinesisFailure('iterator-expired', 'ExpiredIteratorException', 'simulated');
  return {
    fault: (call) => {
      if (call === 'subscription-event') return random() < trouble.unavailable / 3 ? unavailable : undefined;
      if (!PASSING.has(call)) return undefined;
      if (random() < trouble.throttled) return throttled;
      if (random() < trouble.unavailable) return unavailable;
      return call === 'getRecords' && random() < trouble.expired ? expired : undefined;
    },
    lostAnswer: (call) =>
      (call === 'getRecords' || call === 'putRecords') && random() < trouble.lostAnswer ? unavailable : undefined,
    delayMs: (call) => (call === 'getRecords' ? Math.floor(random() * 150) : 0),
    rejectEntry: () => (random() < trouble.rejected ? 'ProvisionedThroughputExceededException' : undefined),
    falseEnd: () => random() < trouble.falseEnd,
    emptyRead: () => random() < trouble.falseEnd,
  };
}

/** Listings that are late: now and then the one before is told again. Ids that were told stay told. */
export class LateListings {
  readonly #last = new Map<string, readonly Shard[]>();
  readonly #random: Random;
  readonly #chance: number;

  constructor(random: Random, chance: number) {
    this.#random = random;
    this.#chance = chance;
  }

  tell(stream: string, listed: readonly Shard[], isExact: boolean): readonly Shard[] {
    const last = this.#last.get(stream);
    if (!isExact && last !== undefined && this.#random() < this.#chance) return last;
    this.#last.set(stream, listed);
    return listed;
  }
}
