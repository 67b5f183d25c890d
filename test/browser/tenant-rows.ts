import { seededRandom } from '../../src/base/random.ts';
import { DAY_MS, dayOf, type EpochMs } from '../../src/base/time.ts';
import { tenantLife } from '../../src/services/simulator/tenant-life.ts';
import { seedCompanies } from '../../src/services/tenant-manager/seed-companies.ts';

/** An enriched company, as it leaves the application. */
export type TenantRow = ReturnType<typeof rowsOf>[number];

const SEED = 7;
const THRESHOLD = 0.5;
const DAYS = 160;
/** The simulated fading begins here, so that some are long silent, some for days, and most are not. */
const FADING_FROM = 125;

/** All rows of `count` tenants over the days before `now`, oldest first; the same on every run. */
export function tenantRows(count: number, now: EpochMs): readonly TenantRow[] {
  return seedCompanies(count, SEED, now)
    .flatMap((tenant, index) => rowsOf(tenant, index, now))
    .sort((one, other) => one.eventTime - other.eventTime);
}

function rowsOf(tenant: ReturnType<typeof seedCompanies>[number], index: number, now: EpochMs) {
  const { companyID, industry, revenu, employees, monthlyFee, totalFee } = tenant;
  const random = seededRandom(SEED * 1000 + index);
  const life = tenantLife(companyID, SEED * 77 + index);
  const perDay: number[] = [];
  const rows = [];
  const usual = 30 * 5 * atLeastSome(life.activity(0));
  let wasAtRisk: boolean | undefined;
  let stated = -1;
  for (let day = 0; day <= DAYS; day++) {
    const midnight = (dayOf(now) - DAYS + day) * DAY_MS;
    const weekend = [0, 6].includes(new Date(midnight).getUTCDay()) ? 0.4 : 1;
    const activity = atLeastSome(life.activity(Math.max(0, day - FADING_FROM))) * weekend;
    const batches = Math.floor(activity * 1.5 + random() * 1.2 * Math.min(1, activity * 6));
    perDay.push(0);
    for (let batch = 0; batch < Math.max(1, batches); batch++) {
      const nbJobs = batches === 0 ? 0 : 1 + Math.floor(random() * 6);
      perDay[day] = (perDay[day] ?? 0) + nbJobs;
      const job30 = sum(perDay.slice(-30));
      const job90 = sum(perDay.slice(-90));
      const trigger = batches === 0 ? ('decay' as const) : ('job' as const);
      const eventTime = trigger === 'decay' ? midnight : Math.min(midnight + Math.floor(random() * DAY_MS), now - 1000);
      if (trigger === 'decay' && job30 * 100_000 + job90 === stated) continue;
      stated = job30 * 100_000 + job90;
      const scored = index % 17 !== 11;
      const churnProbability = Math.round(1000 / (1 + Math.exp(8 * (job30 / Math.max(1, usual) - 0.45)))) / 1000;
      const riskOfChurn = scored ? churnProbability >= THRESHOLD : null;
      const flips = wasAtRisk !== undefined && riskOfChurn !== null && wasAtRisk !== riskOfChurn;
      wasAtRisk = riskOfChurn ?? undefined;
      rows.push({
        ...{ companyID, industry, revenu, employees, job30, job90, monthlyFee, totalFee, riskOfChurn },
        ...(scored ? { churnProbability, reasons: reasonsOf(job30, industry), modelVersion: 'test-1' } : {}),
        scoreStatus: scored ? ('scored' as const) : ('unavailable' as const),
        ...(flips ? { riskChanged: riskOfChurn ? ('at-risk' as const) : ('recovered' as const) } : {}),
        ...{ trigger, eventID: `${companyID}:${rows.length}`, eventTime, nbJobs, version: rows.length + 1 },
        ...(trigger === 'job'
          ? { userID: `user_${1 + Math.floor(random() * life.users)}`, dataSize: nbJobs * 1_234_567 }
          : {}),
        companyStale: false,
      });
    }
  }
  // In order of time, as the application writes them.
  const times = rows.map(({ eventTime }) => eventTime).sort((one, other) => one - other);
  return rows.map((row, at) => ({ ...row, eventTime: times[at] ?? row.eventTime }));
}

/** Few that never submit are enough. */
function atLeastSome(activity: number): number {
  return activity === 0 ? 0 : Math.max(0.3, activity);
}

function reasonsOf(job30: number, industry: string) {
  return [
    { feature: 'job30', contribution: 0.8, text: `${job30.toLocaleString('en-US')} jobs in 30 days, typical 140` },
    { feature: 'industry', contribution: 0.2, text: `${industry}: 27 % of such companies left, typical 19 %` },
  ];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
