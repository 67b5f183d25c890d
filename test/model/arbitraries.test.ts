import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OUT_OF_ORDERNESS_MS, seededWorld, type World, type WorldJob, worldArbitrary } from './arbitraries.ts';
import { type ModelOptions, obviousModel } from './obvious-model.ts';

const DAY_MS = 86_400_000;
const options: ModelOptions = { decay: true, counting: 'rolling', outOfOrderness: OUT_OF_ORDERNESS_MS };
const seeds = Array.from({ length: 200 }, (_, seed) => seed);

test('a seed gives the same world each time, another seed another one', () => {
  for (const seed of [0, 1, 0xffff_ffff]) expect(seededWorld(seed)).toEqual(seededWorld(seed));
  expect(new Set(seeds.map((seed) => JSON.stringify(seededWorld(seed)))).size).toBe(seeds.length);
});

test('a size that is asked for is kept', () => {
  const world = seededWorld(7, { companies: 50, jobs: 2000 });
  expect(new Set(world.companies.map(({ companyID }) => companyID)).size).toBe(50);
  expect(world.jobs).toHaveLength(2000);
  const empty = seededWorld(7, { companies: 0, jobs: 0 });
  expect(empty).toMatchObject({ companies: [], jobs: [], companiesJsonl: '', jobsJsonl: '' });
});

test('no job lags the newest by more than 60 s, save the late ones', () => {
  for (const seed of seeds) expectLagBound(seededWorld(seed));
  expectLagBound(seededWorld(1, { companies: 100, jobs: 3000 }));
  fc.assert(fc.property(worldArbitrary, expectLagBound));
});

test('the files and the input of the model say the same as the records', () => {
  const expectOneWorld = ({ companies, jobs, companiesJsonl, jobsJsonl, modelCompanies, modelJobs }: World): void => {
    const parsed = (jsonl: string): unknown[] =>
      jsonl
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));
    expect(parsed(companiesJsonl)).toEqual(companies);
    expect(parsed(jobsJsonl)).toEqual(jobs);
    for (const [index, { time, ...record }] of modelCompanies.entries()) {
      expect(companies[index]).toMatchObject({ ...record, updatedAt: time });
    }
    for (const [index, { time, line, ...job }] of modelJobs.entries()) {
      expect(jobs[index]).toEqual({ ...job, creationDate: time });
      expect(line).toBe(index + 1);
    }
  };
  for (const seed of seeds) expectOneWorld(seededWorld(seed));
  fc.assert(fc.property(worldArbitrary, expectOneWorld));
});

const gaps = [29, 30, 31, 89, 90, 91];
const everyProfile = [
  ...[
    're-base',
    'profile only',
    'stale record',
    'equal times',
    'tombstone',
    'tombstone and return',
    'stale over tombstone',
  ],
  ...[
    'equal over tombstone',
    'decay',
    'late',
    'late by exactly 90 days',
    'unknown tenant',
    'deleted tenant',
    'nbJobs 0',
  ],
  ...['at midnight', '1 ms before midnight', '1 ms after midnight', '60 s behind', 'disorder over midnight'],
  ...['silent tenant', 'tenant without jobs', 'base expires before any job', 'base after the first job'],
  ...['comma', 'quote', 'non-ASCII', 'emoji', '128 characters'].flatMap((id) => [`company: ${id}`, `user: ${id}`]),
  ...gaps.map((days) => `gap of ${days} days`),
];

test('every profile appears over 200 seeds, and over as many arbitrary worlds', () => {
  const seen = (worlds: World[]): string[] => [...new Set(worlds.flatMap((world) => [...profilesOf(world)]))].sort();
  expect(seen(seeds.map((seed) => seededWorld(seed)))).toEqual(everyProfile.toSorted());
  expect(seen(fc.sample(worldArbitrary, { numRuns: 200, seed: 1 }))).toEqual(everyProfile.toSorted());
});

function expectLagBound(world: World): void {
  const { deadLetters } = obviousModel(world.modelCompanies, world.modelJobs, options);
  const late = new Set(deadLetters.filter(({ reason }) => reason === 'late').map(({ line }) => line));
  let newest = Number.NEGATIVE_INFINITY;
  for (const { time, line } of world.modelJobs) {
    if (!late.has(line)) expect(newest - time).toBeLessThanOrEqual(OUT_OF_ORDERNESS_MS);
    newest = Math.max(newest, time);
  }
}

/** Read from the data of the world, not from how it was made. */
function profilesOf(world: World): Set<string> {
  const profiles = new Set<string>();
  const note = (profile: string, when: boolean): unknown => when && profiles.add(profile);
  const { canonical, deadLetters } = obviousModel(world.modelCompanies, world.modelJobs, options);
  note(
    'decay',
    canonical.some((line) => line.startsWith('decay,')),
  );
  note(
    'base expires before any job',
    canonical.some((line) => line.startsWith('decay,') && line.endsWith(',1')),
  );

  const latest = new Map<string, World['companies'][number]>();
  for (const record of world.companies) {
    const known = latest.get(record.companyID);
    noteID('company', record.companyID);
    note('tombstone', record.deleted === true);
    const lag = known ? known.updatedAt - record.updatedAt : -1;
    if (known?.deleted) {
      note('stale over tombstone', lag > 0);
      note('equal over tombstone', lag === 0);
      note('tombstone and return', lag < 0 && !record.deleted);
    } else if (known) {
      const restated = known.job30 !== record.job30 || known.job90 !== record.job90;
      note('stale record', lag > 0);
      note('equal times', lag === 0);
      note('re-base', lag < 0 && restated && !record.deleted);
      note('profile only', lag < 0 && !restated && !record.deleted && known.monthlyFee !== record.monthlyFee);
    }
    if (lag < 0 || (lag === 0 && !known?.deleted)) latest.set(record.companyID, record);
  }

  const reasons = new Map(deadLetters.map(({ line, reason }) => [line, reason]));
  const clocks = new Map<string, number>();
  let newest: WorldJob | undefined;
  for (const [index, job] of world.jobs.entries()) {
    const time = job.creationDate;
    const day = Math.floor(time / DAY_MS);
    const reason = reasons.get(index + 1);
    const clock = clocks.get(job.companyID);
    noteID('user', job.userID);
    note('nbJobs 0', job.nbJobs === 0);
    note('unknown tenant', reason === 'unknown-company' && !latest.has(job.companyID));
    note('deleted tenant', reason === 'unknown-company' && latest.has(job.companyID));
    note('late', reason === 'late');
    const lateByDays = clock === undefined ? 0 : Math.floor(clock / DAY_MS) - day;
    note('late by exactly 90 days', reason === 'late' && lateByDays === 90);
    note('at midnight', time % DAY_MS === 0);
    note('1 ms before midnight', time % DAY_MS === DAY_MS - 1);
    note('1 ms after midnight', time % DAY_MS === 1);
    if (newest && reason !== 'late') {
      note('60 s behind', newest.creationDate - time === OUT_OF_ORDERNESS_MS);
      note('disorder over midnight', Math.floor(newest.creationDate / DAY_MS) > day);
    }
    if (!newest || time > newest.creationDate) newest = job;
    if (reason !== undefined) continue;
    for (const days of gaps) note(`gap of ${days} days`, lateByDays === -days);
    const base = latest.get(job.companyID)?.updatedAt ?? time;
    note('base after the first job', clock === undefined && Math.floor(base / DAY_MS) > day);
    clocks.set(job.companyID, Math.max(clock ?? time, time));
  }
  for (const [id, { deleted }] of latest) {
    const clock = clocks.get(id);
    note('tenant without jobs', clock === undefined && !deleted);
    note('silent tenant', clock !== undefined && newest !== undefined && newest.creationDate - clock > 90 * DAY_MS);
  }
  return profiles;

  function noteID(of: 'company' | 'user', id: string): void {
    note(`${of}: comma`, id.includes(','));
    note(`${of}: quote`, id.includes('"'));
    note(`${of}: non-ASCII`, /[^\p{ASCII}]/u.test(id));
    note(`${of}: emoji`, /\p{Extended_Pictographic}/u.test(id));
    note(`${of}: 128 characters`, id.length === 128);
  }
}
