import { setImmediate as nextTurn } from 'node:timers/promises';
import { TenantAnalyticsError } from '../../src/base/errors.ts';
import { LIMITS, type Limits } from '../../src/base/limits.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { FilePartition } from '../../src/connectors/file/file-partition.ts';
import type { FilePosition } from '../../src/connectors/file/first-line.ts';
import { runGraph } from '../../src/hosts/node/run-graph.ts';
import { companyJobProcessing } from '../../src/pipeline/company-job-processing.ts';
import { readParameters } from '../../src/pipeline/parameters.ts';
import { CheckpointStore } from '../../src/runtime/checkpoint-store.ts';
import type { CheckpointBody } from '../../src/runtime/checkpointer.ts';
import type { CrashPoint, World as HostWorld } from '../../src/runtime/ports.ts';
import { seededWorld, type World } from '../model/arbitraries.ts';
import { type ModelResult, obviousModel } from '../model/obvious-model.ts';
import { type Outcome, readOutcome } from './outcome.ts';
import { SimulatedDisk } from './simulated-files.ts';
import { SimulatedServices } from './simulated-services.ts';

export const OUTPUT = '/out';

/** How one life of the program ended. */
export type LifeEnd =
  | { readonly kind: 'ended' }
  | { readonly kind: 'crashed'; readonly at: string }
  | { readonly kind: 'failed'; readonly code: string };

export interface SimulationResult {
  readonly lives: readonly LifeEnd[];
  readonly warnings: readonly string[];
  readonly outcome: Outcome;
  /** Whether rows were scored. */
  readonly scored: boolean;
  readonly counters: Readonly<Record<string, number>>;
  readonly expected: ModelResult;
  readonly world: World;
  /** Parts that were visible after a crash, and then changed or went away. */
  readonly retracted: readonly string[];
}

/** Thrown into the program where the simulated power fails; nothing it does afterwards reaches the disk. */
class PowerFailure extends Error {}

const MOST_LIVES = 12;

/**
 * Replays a small seeded world through the real engine, checkpoints and sinks on a simulated disk, again and again
 * struck by power failures, full disks and damaged checkpoints, until it ends; after that the power fails once more.
 * Everything is a function of the seed.
 */
export async function simulate(seed: number): Promise<SimulationResult> {
  const random = seededRandom(seed);
  const world = seededWorld(Math.floor(random() * 2 ** 32));
  const disk = new SimulatedDisk();
  const calls = callsOf(seed);
  const setting = settingOf(random);
  const lives: LifeEnd[] = [];
  const warnings: string[] = [];
  let damaged = false;
  /** Parts that a reader could see between two lives. */
  const seen = new Map<string, Uint8Array>();
  let counters: Readonly<Record<string, number>> = {};
  for (;;) {
    const strikes = lives.length < MOST_LIVES - 1;
    const life = new Life(disk, random, calls, strikes, (message) => warnings.push(message));
    const { end, counts } = await life.run(world, setting);
    lives.push(end);
    counters = counts ?? counters;
    if (end.kind === 'ended') break;
    if (end.kind === 'crashed') disk.crash(random);
    for (const [path, bytes] of visibleParts(disk)) if (!damaged) seen.set(path, bytes);
    if (!strikes) throw new Error(`it does not end: ${JSON.stringify(lives)}`);
    if (!damaged && random() < setting.damageChance) damaged = damageNewest(disk, random);
  }
  disk.crash(random);
  const parts = visibleParts(disk);
  const retracted = damaged
    ? []
    : [...seen].filter(([path, bytes]) => !sameBytes(parts.get(path), bytes)).map(([path]) => path);
  const expected = obviousModel(world.companies.map(modelCompany(world)), world.modelJobs, {
    decay: true,
    counting: 'rolling',
    outOfOrderness: 60_000,
  });
  return {
    lives,
    warnings,
    outcome: readOutcome(disk.files(), OUTPUT),
    scored: calls.texts.scoring === 'on',
    counters,
    expected,
    world,
    retracted,
  };
}

function visibleParts(disk: SimulatedDisk): Map<string, Uint8Array> {
  return new Map([...disk.files()].filter(([path]) => /\/part-[^/]*$/.test(path)));
}

function sameBytes(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && Buffer.compare(one, other) === 0;
}

export function modelCompany(world: World) {
  return (_record: unknown, index: number) => {
    const company = world.modelCompanies[index];
    if (company === undefined) throw new Error('the world lacks a company');
    return company;
  };
}

interface Setting {
  readonly limits: Limits;
  readonly damageChance: number;
  readonly texts: Record<string, string>;
}

function settingOf(random: Random): Setting {
  const oneOf = (...values: number[]) => values[Math.floor(random() * values.length)] ?? 0;
  return {
    limits: {
      ...LIMITS,
      pressureHighBytes: oneOf(200, 2000, 1e6),
      pressureLowBytes: 100,
      flushBytes: oneOf(1, 300, 1e6),
      openParts: oneOf(1, 3, 128),
      openFiles: oneOf(1, 2, 128),
      finishedPartBytes: 50,
      timersPerTurn: oneOf(1, 4, 1024),
      compactionMinBytes: oneOf(1, 500, 1e6),
    },
    damageChance: oneOf(0, 0.3, 0.6),
    texts: {
      'checkpoint.interval': `${oneOf(1, 20, 100)} ms`,
      'sink.roll.size': `${oneOf(300, 2000, 1e6)} B`,
      'sink.roll.age': `${oneOf(30, 300, 1e6)} ms`,
    },
  };
}

/** The services of a simulation: none in every third; their chance is their own, so that they leave other seeds as they are. */
export interface Calls {
  readonly random: Random;
  readonly failureChance: number;
  readonly texts: Record<string, string>;
}

export function callsOf(seed: number): Calls {
  const random = seededRandom(seed ^ 0x5eed);
  const oneOf = <T>(...values: readonly [T, ...T[]]) => values[Math.floor(random() * values.length)] ?? values[0];
  if (seed % 3 === 2) return { random, failureChance: 0, texts: { enrichment: 'join', scoring: 'off' } };
  const texts = {
    enrichment: oneOf('lookup', 'lookup', 'join'),
    scoring: oneOf('on', 'on', 'off'),
    tenantManagerEndpoint: 'http://tenants',
    predictChurnApiEndpoint: 'http://scores/prod/assessChurn',
    'tenant.cache.ttl': oneOf('1 ms', '1 s', '1 h'),
    'tenant.cache.negativeTtl': oneOf('1 ms', '1 h'),
    'tenant.cache.size': oneOf('1', '100'),
    'score.cache.ttl': oneOf('1 ms', '1 h'),
    'tenant.concurrency': oneOf('1', '3', '100'),
    'score.concurrency': oneOf('1', '3', '100'),
    'tenant.retries': oneOf('0', '2'),
    'score.retries': oneOf('0', '2'),
    'tenant.breaker.failures': oneOf('1', '3', '20'),
    'score.breaker.failures': oneOf('1', '3', '20'),
    'rescore.capacity': oneOf('1', '3', '1000'),
  };
  return { random, failureChance: oneOf(0, 0.1, 0.5), texts };
}

/** One run of the program, from start to its end or its death. */
class Life {
  readonly #disk: SimulatedDisk;
  readonly #random: Random;
  readonly #calls: Calls;
  readonly #warn: (message: string) => void;
  readonly #chunkBytes: number;
  readonly #strikeAtProbe: number;
  readonly #strikeAtOperation: number;
  readonly #fullAtAppend: number;
  #died!: (end: LifeEnd) => void;
  readonly #death = new Promise<LifeEnd>((resolve) => {
    this.#died = resolve;
  });
  #isDead = false;
  #probes = 0;
  #operations = 0;
  #appends = 0;
  #now = 1_800_000_000_000;

  constructor(disk: SimulatedDisk, random: Random, calls: Calls, strikes: boolean, warn: (message: string) => void) {
    this.#disk = disk;
    this.#random = random;
    this.#calls = calls;
    this.#warn = warn;
    this.#chunkBytes = 20 + Math.floor(random() * 400);
    const kind = strikes ? random() : 1;
    this.#strikeAtProbe = kind < 0.45 ? 1 + Math.floor(random() * random() * 120) : 0;
    this.#strikeAtOperation = kind >= 0.45 && kind < 0.8 ? 1 + Math.floor(random() * random() * 400) : 0;
    this.#fullAtAppend = kind >= 0.8 && kind < 0.9 ? 1 + Math.floor(random() * 60) : 0;
  }

  async run(world: World, setting: Setting): Promise<{ end: LifeEnd; counts?: Readonly<Record<string, number>> }> {
    let counts: Readonly<Record<string, number>> | undefined;
    const lived = this.#live(world, setting).then(
      (counters): LifeEnd => {
        counts = counters;
        return { kind: 'ended' };
      },
      (error: unknown): LifeEnd => {
        if (this.#isDead) return { kind: 'crashed', at: 'power failure' };
        if (error instanceof TenantAnalyticsError) return { kind: 'failed', code: error.code };
        throw error;
      },
    );
    const end = await Promise.race([this.#death, lived]);
    this.#isDead = true; // the process is gone, with all that was under way
    return counts === undefined ? { end } : { end, counts };
  }

  async #live(world: World, setting: Setting): Promise<Readonly<Record<string, number>>> {
    const parameters = readParameters({
      ApplicationConfigProperties: {
        S3SinkPath: `file://${OUTPUT}`,
        enrichment: 'join',
        scoring: 'off',
        ...setting.texts,
        ...this.#calls.texts,
      },
    });
    const host: HostWorld = {
      files: this.#disk.mount({ before: (operation) => this.#before(operation) }, () => this.#isDead),
      sleep: (ms) => this.#sleep(ms),
      random: this.#calls.random,
      clock: { now: () => (this.#now += Math.floor(this.#random() * 8)) },
      probe: (point) => this.#probe(point),
      warn: this.#warn,
    };
    const store = new CheckpointStore(host, `${OUTPUT}/.state`, setting.limits);
    const found = await store.open();
    const body = found?.body as CheckpointBody | undefined;
    if (body?.ended === true) return body.counters;
    const graph = companyJobProcessing(parameters);
    const partitions = [
      this.#partition('companies', world.companiesJsonl, body),
      this.#partition('jobs', world.jobsJsonl, body),
    ];
    const run = {
      graph,
      parameters,
      identity: 'simulated',
      store,
      found,
      world: host,
      partitions,
      limits: setting.limits,
      transport: new SimulatedServices(world, this.#calls.random, this.#calls.failureChance, () => this.#isDead),
    };
    return (await runGraph(run, () => undefined)).counters;
  }

  #partition(sourceID: string, text: string, body: CheckpointBody | undefined): FilePartition {
    const bytes = new TextEncoder().encode(text);
    const open = async (offset: number) => {
      let at = offset;
      return {
        consumed: 0,
        read: async () => {
          const chunk = bytes.slice(at, at + this.#chunkBytes);
          at += chunk.length;
          return chunk.length === 0 ? undefined : chunk;
        },
        close: async () => undefined,
      };
    };
    const baseName = `${sourceID}.jsonl`;
    const start = (body?.partitions[`${sourceID}:${baseName}`]?.position as FilePosition | undefined) ?? {
      offset: 0,
      line: 0,
    };
    const options = { path: baseName, baseName, sourceID, gzip: false, size: bytes.length, open };
    return new FilePartition({ ...options, arrivalTime: 0, columns: null, maxRecordBytes: 1e6 }, start);
  }

  /** Time passes at once; a dead process does not wake. */
  async #sleep(ms: number): Promise<void> {
    this.#now += ms;
    for (let turns = 0; turns < 5; turns++) await nextTurn();
    if (this.#isDead) return new Promise(() => undefined);
    return undefined;
  }

  #probe(point: CrashPoint): void {
    if (this.#isDead) throw new PowerFailure();
    if (++this.#probes === this.#strikeAtProbe) this.#strike(point);
  }

  #before(operation: string): void {
    if (++this.#operations === this.#strikeAtOperation) this.#strike(`operation ${operation}`);
    if (operation === 'append' && ++this.#appends === this.#fullAtAppend) {
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    }
  }

  #strike(at: string): never {
    this.#isDead = true;
    this.#died({ kind: 'crashed', at });
    throw new PowerFailure(at);
  }
}

/**
 * Damages the newest checkpoint, or the newest base, if there is an older one to fall back to. Once in a simulation: two
 * failures of the disk with no checkpoint in between can be more than what is kept.
 */
function damageNewest(disk: SimulatedDisk, random: Random): boolean {
  const kind = random() < 0.7 ? /\/chk-\d+$/ : /\/base-\d+$/;
  const files = [...disk.files().keys()].sort();
  const newest = files.filter((path) => kind.test(path)).at(-1);
  if (newest === undefined || files.filter((path) => /\/chk-\d+$/.test(path)).length < 2) return false;
  const cut = random() < 0.4;
  disk.damage(newest, (bytes) => {
    if (cut) return bytes.slice(0, Math.floor(random() * bytes.length));
    const at = Math.floor(random() * bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    return bytes;
  });
  return true;
}
