// The fast activity stage against the slow and obvious model of the rules (test/model), which shares no code with it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OUT_OF_ORDERNESS_MS, seededWorld, type World, worldArbitrary } from '../../test/model/arbitraries.ts';
import {
  type ModelCompany,
  type ModelOptions,
  type ModelResult,
  type ModelStep,
  obviousModelOfSteps,
} from '../../test/model/obvious-model.ts';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { dayOf, isoDate } from '../base/time.ts';
import { Watermark } from '../runtime/watermark.ts';
import { companyActivity } from './company-activity.ts';
import { type CompanyState, companyStateCodec, NO_DAY } from './company-state.ts';
import type { ActivityInput } from './events.ts';
import { csvCell, type EnrichedCompany } from './rows.ts';
import { dueBoundary } from './settling.ts';

interface HostOptions extends ModelOptions {
  /** Encode and decode each state whenever it was touched: what a restore at that moment would make of it. */
  readonly restore: boolean;
}

/** The smallest host: state in a map; after each job the watermark moves and due timers fire, the earliest first. */
function hosted(steps: readonly ModelStep[], options: HostOptions): ModelResult {
  const stage = companyActivity(['in'], { ...options, scoreStatus: 'off' });
  const states = new Map<string, CompanyState>();
  const versions = new Map<string, number>();
  const watermark = new Watermark(options.outOfOrderness);
  const clock = watermark.add('jobs');
  const result: ModelResult = { canonical: [], deadLetters: [], staleRecords: 0 };
  let line: number | undefined;
  const out = {
    emit: (row: EnrichedCompany) => {
      const before = versions.get(row.profile.companyID) ?? 0;
      if (row.version !== before + 1) expect.fail(`version ${row.version} after ${before}`);
      versions.set(row.profile.companyID, row.version);
      result.canonical.push(canonicalLine(row));
    },
    reject: ({ reason }: { reason: string }) => {
      if (line === undefined || (reason !== 'late' && reason !== 'unknown-company')) expect.fail(reason);
      result.deadLetters.push({ line, reason });
    },
    count: (counter: string) => {
      if (counter !== 'stale-company-records') expect.fail(counter);
      result.staleRecords++;
    },
  };

  for (const step of steps) {
    const input = inputOf(step);
    line = 'job' in step ? step.job.line : undefined;
    keep(stage.key(input), stage.onEvent(states.get(stage.key(input)), input, out));
    line = undefined;
    if (input.kind !== 'job') continue;
    clock.show(input.time);
    fireDue();
  }
  const sorted = result.canonical.map((row) => Buffer.from(row)).sort(Buffer.compare);
  return { ...result, canonical: sorted.map(String) };

  function fireDue(): void {
    for (;;) {
      const due = [...states].filter(([, state]) => stage.nextTimer(state) <= watermark.value);
      const [next] = due.sort(([, a], [, b]) => stage.nextTimer(a) - stage.nextTimer(b));
      if (next === undefined) return;
      const [key, state] = next;
      keep(key, stage.onTimer(state, stage.nextTimer(state), out));
    }
  }

  function keep(key: string, state: CompanyState | undefined): void {
    if (state === undefined) return;
    checkInvariants(state, options);
    states.set(key, options.restore ? restored(state) : state);
  }
}

/* Called for every step of every world, where `expect` itself would take most of the time. */

function checkInvariants(state: CompanyState, { decay, counting }: ModelOptions): void {
  const { profile, buckets, due, settled } = state;
  const settles = profile !== null && decay && counting === 'rolling';
  const expected = settles ? dueBoundary(state, profile) : NO_DAY; // However it was arrived at.
  if (due !== expected) expect.fail(`due at ${due}, expected ${expected}`);
  if (settles && buckets !== null && settled < buckets.day) expect.fail(`settled ${settled}, clock ${buckets.day}`);
}

function restored(state: CompanyState): CompanyState {
  const bytes = encoded(state);
  const from = new ByteReader(bytes);
  const copy = companyStateCodec.decode(from, companyStateCodec.version);
  if (from.remaining > 0) expect.fail(`${from.remaining} bytes were not read`);
  if (Buffer.compare(encoded(copy), bytes) !== 0) expect.fail('a restored state has other bytes');
  return copy;
}

function encoded(state: CompanyState): Uint8Array {
  const to = new ByteWriter(64);
  companyStateCodec.encode(state, to);
  return to.take();
}

function inputOf(step: ModelStep): ActivityInput {
  if ('job' in step) return { kind: 'job', ...step.job, dataSize: null, eventID: `jobs:${step.job.line}` };
  return {
    kind: 'company',
    companyID: step.company.companyID,
    time: step.company.time,
    profile: profileOf(step.company),
  };
}

function profileOf({ companyID, job30, job90, deleted }: ModelCompany) {
  if (deleted === true) return null;
  return { companyID, industry: 'IT', revenu: 1.5, employees: 3, job30, job90, monthlyFee: 10, totalFee: 120 };
}

function canonicalLine(row: EnrichedCompany): string {
  const { trigger, profile, eventTime, userID, nbJobs, job30, job90, version, eventID } = row;
  const decayID = `decay:${profile.companyID}:${isoDate(dayOf(eventTime))}`;
  if (trigger === 'decay' && eventID !== decayID) expect.fail(`eventID ${eventID}, expected ${decayID}`);
  const cells = [trigger, profile.companyID, eventTime, userID ?? '', nbJobs, job30, job90, version];
  return cells.map((cell) => csvCell(String(cell))).join(',');
}

function expectAgreement(steps: readonly ModelStep[], options: ModelOptions): void {
  const expected = obviousModelOfSteps(steps, options);
  for (const restore of [false, true]) expect(hosted(steps, { ...options, restore })).toEqual(expected);
}

const inOrder = ({ modelCompanies, modelJobs }: World): ModelStep[] => [
  ...modelCompanies.map((company) => ({ company })),
  ...modelJobs.map((job) => ({ job })),
];

/** Records and jobs each in their own order, mixed as `takeRecord` says. */
function interleaved({ modelCompanies, modelJobs }: World, takeRecord: (step: number) => boolean): ModelStep[] {
  const companies = modelCompanies.map((company) => ({ company }));
  const jobs = modelJobs.map((job) => ({ job }));
  const steps: ModelStep[] = [];
  while (companies.length > 0 || jobs.length > 0) {
    const from = jobs.length === 0 || (companies.length > 0 && takeRecord(steps.length)) ? companies : jobs;
    const step = from.shift();
    if (step !== undefined) steps.push(step);
  }
  return steps;
}

const anySteps = fc
  .tuple(worldArbitrary, fc.array(fc.boolean(), { minLength: 20, maxLength: 80 }))
  .map(([world, order]) => interleaved(world, (step) => order[step % order.length] ?? false));
/** Jobs far behind the watermark among the others: counted, but settling nothing anew. */
const anyDisorder = fc.tuple(anySteps, fc.array(fc.nat(30), { minLength: 10, maxLength: 40 })).map(([steps, delays]) =>
  steps
    .map((step, index) => ({ step, at: index + ('job' in step ? (delays[index % delays.length] ?? 0) : 0) }))
    .sort((a, b) => a.at - b.at)
    .map(({ step }) => step),
);
const seeds = Array.from({ length: 300 }, (_, seed) => 10_000 + seed);

describe.each<[string, ModelOptions]>([
  ['rolling counts', { counting: 'rolling', decay: true, outOfOrderness: OUT_OF_ORDERNESS_MS }],
  ['rolling counts without decay', { counting: 'rolling', decay: false, outOfOrderness: OUT_OF_ORDERNESS_MS }],
  ['counts per event', { counting: 'per-event', decay: true, outOfOrderness: OUT_OF_ORDERNESS_MS }],
])('%s are those of the obvious model, also when the state is restored after each step', (_, options) => {
  test('over 300 seeded worlds', () => {
    for (const seed of seeds) expectAgreement(inOrder(seededWorld(seed)), options);
  });

  test('over arbitrary worlds', () => {
    fc.assert(
      fc.property(worldArbitrary, (world) => expectAgreement(inOrder(world), options)),
      { numRuns: 500 },
    );
  });

  test('when records arrive between the jobs', () => {
    fc.assert(
      fc.property(anySteps, (steps) => expectAgreement(steps, options)),
      { numRuns: 500 },
    );
    for (const seed of seeds)
      expectAgreement(
        interleaved(seededWorld(seed), (step) => (step + seed) % 4 === 0),
        options,
      );
  });

  test('when jobs come far later than the watermark allows', () => {
    fc.assert(
      fc.property(anyDisorder, (steps) => expectAgreement(steps, options)),
      { numRuns: 500 },
    );
  });
});

test('a world of many companies and jobs', () => {
  const options: ModelOptions = { counting: 'rolling', decay: true, outOfOrderness: OUT_OF_ORDERNESS_MS };
  expectAgreement(inOrder(seededWorld(1, { companies: 60, jobs: 1500 })), options);
});
