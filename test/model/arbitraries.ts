// Generators of worlds (see world.ts), for property tests and simulations: from a bare seed, or as an arbitrary that
// shrinks step by step.
import fc from 'fast-check';
import {
  companyIDs,
  DAY_MS,
  type JobStep,
  type Move,
  OUT_OF_ORDERNESS_MS,
  type RecordStep,
  userIDs,
  type World,
  worldOf,
} from './world.ts';

export { OUT_OF_ORDERNESS_MS, type World, type WorldJob, type WorldRecord } from './world.ts';

const HOUR_MS = 3_600_000;

/** How many of each; left out, the seed decides: 3 to 10 companies, 20 to 120 jobs. */
export interface WorldSize {
  companies?: number;
  jobs?: number;
}

const edgesOfMidnight = [0, -1, 1] as const;
const edgesOfWindows = [30, 29, 31, 90, 89, 91] as const;
// The watermark after such a job: short of the midnight, and exactly on it.
const edgesOfWatermark = [OUT_OF_ORDERNESS_MS - 1, OUT_OF_ORDERNESS_MS] as const;
const shortSteps = [0, 1, 1000, OUT_OF_ORDERNESS_MS, HOUR_MS, 7 * HOUR_MS] as const;
const lags = [0, 1, OUT_OF_ORDERNESS_MS - 1, OUT_OF_ORDERNESS_MS] as const;
const lateDays = [90, 91, 120, 400] as const;
const timesOfDay = [0, 1, DAY_MS - 1] as const;

/**
 * A world that is a function of the seed (a 32-bit integer) and the size alone. Each seed leaves some kinds of step
 * out, so that the others meet more often.
 */
export function seededWorld(seed: number, size: WorldSize = {}): World {
  const random = randomOf(seed);
  const int = (min: number, max: number): number => min + Math.floor(random() * (max - min + 1));
  const chance = (probability: number): boolean => random() < probability;
  const oneOf = <T>(values: readonly [T, ...T[]]): T => values[int(0, values.length - 1)] ?? values[0];
  const someOf = <T>(first: T, ...others: T[]): readonly [T, ...T[]] => [first, ...others.filter(() => chance(0.6))];

  const companyCount = size.companies ?? int(3, 10);
  const jobCount = size.jobs ?? int(20, 120);
  // Company i of this world is company members[i] of the list; two more of them never had a record.
  const members = Array.from({ length: Math.max(companyCount + 2, companyIDs.length) }, (_, index) => index);
  for (let i = members.length - 1; i > 0; i--) {
    const j = int(0, i);
    [members[i], members[j]] = [members[j] ?? 0, members[i] ?? 0];
  }
  const known = members.slice(0, companyCount);
  const unknown = members.slice(companyCount, companyCount + 2);

  const freshCounts = (): { job30: number; job90: number } => {
    const job30 = chance(0.3) ? 0 : int(1, 20);
    return { job30, job90: job30 + (chance(0.3) ? 0 : int(1, 60)) };
  };
  const later = (): number => oneOf([1, HOUR_MS, DAY_MS, int(1, 40) * DAY_MS + int(0, DAY_MS)]);
  const records: RecordStep[] = known.map((company) => {
    const shift = int(-100, 40) * DAY_MS + oneOf([...edgesOfMidnight, 5 * HOUR_MS]);
    return { company, shift, counts: freshCounts(), deleted: false };
  });
  const twists = someOf('profile', 'restated', 'stale', 'equal', 'deleted', 'returned');
  for (let extra = int(0, 2 * companyCount); extra > 0 && known.length > 0; extra--) {
    const company = known[int(0, known.length - 1)] ?? 0;
    const twist = oneOf(twists);
    const shift = twist === 'stale' ? -later() : twist === 'equal' || chance(0.1) ? 0 : later();
    const counts = twist === 'profile' || (twist !== 'restated' && chance(0.3)) ? 'kept' : freshCounts();
    records.push({ company, shift, counts, deleted: twist === 'deleted' || twist === 'returned' });
    if (twist === 'returned') records.push({ company, shift: later(), counts: freshCounts(), deleted: false });
  }

  const silentFrom = new Map(known.map((company) => [company, chance(0.4) ? int(0, jobCount) : jobCount]));
  const kinds = someOf<Move['kind']>('forward', 'behind', 'behind', 'midnight', 'silence', 'late');
  const leapChance = Math.min(0.6, 100 / jobCount); // A big world spans no more years than a small one.
  const nextMove = (before: Move | undefined): Move => {
    const afterMidnight = before?.kind === 'midnight' && kinds.includes('behind') && chance(0.7);
    const kind = afterMidnight ? 'behind' : oneOf(kinds);
    if (kind === 'behind') return { kind, ms: chance(0.5) ? oneOf(lags) : int(0, OUT_OF_ORDERNESS_MS) };
    if (kind === 'forward' || !chance(leapChance))
      return { kind: 'forward', ms: oneOf([...shortSteps, int(0, 12 * HOUR_MS)]) };
    if (kind === 'late') return { kind, days: oneOf(lateDays), ms: oneOf(timesOfDay) };
    if (kind === 'silence')
      return { kind, days: oneOf(edgesOfWindows), ms: oneOf([...edgesOfMidnight, int(0, DAY_MS - 1)]) };
    const ms = oneOf([...edgesOfMidnight, ...edgesOfWatermark, int(0, OUT_OF_ORDERNESS_MS)]);
    return { kind, days: chance(0.15) ? oneOf(edgesOfWindows) : int(1, 3), ms };
  };
  const jobs: JobStep[] = [];
  for (let i = 0; i < jobCount; i++) {
    const active = known.filter((company) => i < (silentFrom.get(company) ?? 0));
    const [first = 0, ...others] = active.length === 0 || chance(0.05) ? unknown : active;
    const move = nextMove(jobs.at(-1)?.move);
    jobs.push({ company: oneOf([first, ...others]), user: int(0, 99), nbJobs: chance(0.15) ? 0 : int(1, 9), move });
  }
  // Where the input ends, the last watermark shows: let it end at a boundary that is due for the job before.
  const last = jobs.at(-1);
  if (last && chance(0.5)) {
    last.company = oneOf([unknown[0] ?? 0, ...known]);
    last.move = { kind: 'midnight', days: oneOf([30, 90]), ms: oneOf(edgesOfWatermark) };
  }
  return worldOf(records, jobs);
}

const anyCompany = fc.oneof(
  { weight: 3, arbitrary: fc.nat(3) },
  { weight: 1, arbitrary: fc.nat(companyIDs.length - 1) },
);
const anyRecordStep: fc.Arbitrary<RecordStep> = fc.record({
  company: anyCompany,
  shift: fc.oneof(
    fc.constantFrom(0, 1, -1),
    fc
      .tuple(fc.integer({ min: -100, max: 40 }), fc.constantFrom(...edgesOfMidnight))
      .map(([days, ms]) => days * DAY_MS + ms),
  ),
  counts: fc.oneof(
    fc.constant('kept' as const),
    fc.tuple(fc.nat(20), fc.nat(60)).map(([job30, before]) => ({ job30, job90: job30 + before })),
  ),
  deleted: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});
const moveOf = <K extends Move['kind'], D>(kind: K, days: fc.Arbitrary<D>, ms: fc.Arbitrary<number>) =>
  fc.record({ kind: fc.constant(kind), days, ms });
const anyEdge = fc.constantFrom(...edgesOfMidnight, ...edgesOfWatermark);
const anyMove: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    kind: fc.constant('forward' as const),
    ms: fc.oneof(fc.constantFrom(...shortSteps), fc.nat(2 * DAY_MS)),
  }),
  fc.record({
    kind: fc.constant('behind' as const),
    ms: fc.oneof(fc.constantFrom(...lags), fc.nat(OUT_OF_ORDERNESS_MS)),
  }),
  moveOf('midnight', fc.constantFrom(1, 2, ...edgesOfWindows), fc.oneof(anyEdge, fc.nat(OUT_OF_ORDERNESS_MS))),
  moveOf('silence', fc.constantFrom(...edgesOfWindows), fc.oneof(anyEdge, fc.nat(DAY_MS - 1))),
  moveOf('late', fc.constantFrom(...lateDays), fc.constantFrom(...timesOfDay)),
);
const anyJobStep: fc.Arbitrary<JobStep> = fc.record({
  company: anyCompany,
  user: fc.nat(userIDs.length - 1),
  nbJobs: fc.nat(9),
  move: anyMove,
});

/** The same kinds of world, from any mix of steps. */
export const worldArbitrary: fc.Arbitrary<World> = fc
  .tuple(
    fc.array(anyRecordStep, { minLength: 1, maxLength: 16, size: 'max' }),
    fc.array(anyJobStep, { maxLength: 60, size: 'max' }),
  )
  .map(([records, jobs]) => worldOf(records, jobs));

/** mulberry32: numbers in [0, 1), the same on every machine. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
