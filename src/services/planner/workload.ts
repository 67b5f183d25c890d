import { ByteWriter } from '../../base/bytes.ts';
import { companyStateCodec, tombstone } from '../../core/company-state.ts';
import { DayBuckets, LONG_WINDOW } from '../../core/day-buckets.ts';
import type { PlanInputs } from './inputs.ts';
import { DAY_SECONDS } from './limits.ts';

/** What comes and goes, a second: means over a month, and at the peak. */
export interface Workload {
  readonly events: Flow;
  /** Rows of job events and of decay. */
  readonly rows: Flow;
  readonly decayRows: Flow;
  readonly companyRecords: Flow;
  /** Requests to TenantManager. */
  readonly lookups: Flow;
  /** Requests to churn scoring. */
  readonly scores: Flow;
  /** Rows of decay that are due at midnight UTC, all at once. */
  readonly midnightRows: number;
  readonly busiestCompany: Flow;
  /** Of one company, and of all. */
  readonly companyStateBytes: number;
  readonly stateBytes: number;
}

export interface Flow {
  readonly mean: number;
  readonly peak: number;
}

export function workload(inputs: PlanInputs): Workload {
  const { numbers: of, isLookup, isScored, isDecaying } = inputs;
  const events = flow(of.eventsPerSecond, of.peakFactor);
  const midnightRows = isDecaying ? of.companies * of.decayShare : 0;
  // They come at midnight, whenever the peak is: they are no part of it, and worked off after it.
  const decayRows = { mean: midnightRows / DAY_SECONDS, peak: 0 };
  const rows = { mean: events.mean + decayRows.mean, peak: events.peak };
  const asked = 1 - of.repeatShare;
  const companyStateBytes = stateBytesOf(events.mean, of.companies);
  return {
    events,
    rows,
    decayRows,
    companyRecords: flow((of.companies * of.changesPerDay) / DAY_SECONDS, of.peakFactor),
    lookups: isLookup
      ? { mean: lookupsAt(events.mean, inputs), peak: lookupsAt(events.peak, inputs) }
      : { mean: 0, peak: 0 },
    scores: isScored ? { mean: rows.mean * asked, peak: rows.peak * asked } : { mean: 0, peak: 0 },
    midnightRows,
    busiestCompany: flow(events.mean * of.busiestShare, of.peakFactor),
    companyStateBytes,
    stateBytes: companyStateBytes * of.companies,
  };
}

function flow(mean: number, factor: number): Flow {
  return { mean, peak: mean * factor };
}

/**
 * A company is asked about again by its first event after `tenant.cache.ttl`, so each 1/λ + TTL seconds: λ / (1 + λ TTL) of
 * each, with λ its events a second. Events that are spread evenly over companies make the most of them: this is a bound.
 * Companies beyond `tenant.cache.size` of one subtask are counted as asked about for each event.
 */
function lookupsAt(perSecond: number, { numbers, tenantTtlMs, tenantCacheSize }: PlanInputs): number {
  const { companies } = numbers;
  if (perSecond === 0 || companies === 0) return 0;
  const ttlSeconds = tenantTtlMs / 1000;
  const cached = Math.min(1, tenantCacheSize / companies);
  const each = perSecond / companies;
  return cached * (companies * (each / (1 + each * ttlSeconds))) + (1 - cached) * perSecond;
}

/** Of the state that counts, as it is written to checkpoints, by its own codec: a company with jobs on each of 90 days. */
function stateBytesOf(perSecond: number, companies: number): number {
  if (companies === 0) return 0;
  const perDay = Math.max(1, Math.min(2 ** 31, Math.round((perSecond * DAY_SECONDS) / companies)));
  const day = 20_000;
  const buckets = new DayBuckets(day - LONG_WINDOW + 1);
  for (let ago = LONG_WINDOW - 1; ago >= 0; ago--) {
    buckets.advance(day - ago);
    buckets.add(day - ago, perDay);
  }
  const to = new ByteWriter();
  const counts = { job30: 30 * perDay, job90: 90 * perDay };
  const profile = { companyID: 'company_000000', industry: 'industry', revenu: 1e6, employees: 1000 };
  companyStateCodec.encode(
    {
      ...tombstone(day * 86_400_000, perDay * LONG_WINDOW),
      profile: { ...profile, ...counts, monthlyFee: 1000, totalFee: 12_000 },
      ...{ baseDay: day - LONG_WINDOW, settled: day, due: day + 1, buckets },
      ...{ stated30: counts.job30, stated90: counts.job90 },
    },
    to,
  );
  return to.length;
}
