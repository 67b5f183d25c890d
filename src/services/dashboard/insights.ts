import { dayOf, type EpochMs, isoDate } from '../../base/time.ts';
import { type Ask, timeText } from './insight-sql.ts';
import { companies, customersByIndustry, idle, leastActive, overview } from './insights-customers.ts';
import {
  batchesPerDay,
  companyJobs,
  companyPeers,
  companyUsers,
  submissionFrequency,
  submissionsByMonth,
  submissionsByQuarter,
} from './insights-jobs.ts';
import { churnRisk, companyScore, revenueAtRisk, riskChanges, riskTrend, scoring, silent } from './insights-risk.ts';
import { type AsOf, INSIGHTS, type InsightAnswer, type InsightName, type InsightQuery } from './insights-schema.ts';
import type { DashboardStore, View } from './store.ts';

const ASKED: { readonly [N in InsightName]: Ask<N> } = {
  overview,
  'customers-by-industry': customersByIndustry,
  companies,
  'company-jobs': companyJobs,
  'company-peers': companyPeers,
  'company-users': companyUsers,
  'least-active': leastActive,
  'submissions-by-month': submissionsByMonth,
  'submissions-by-quarter': submissionsByQuarter,
  'batches-per-day': batchesPerDay,
  'submission-frequency': submissionFrequency,
  idle,
  'churn-risk': churnRisk,
  'company-score': companyScore,
  'risk-trend': riskTrend,
  'revenue-at-risk': revenueAtRisk,
  'risk-changes': riskChanges,
  silent,
  scoring,
};

/**
 * The answer to a question, all of one moment; undefined when the company it is about is not known. `only`: from the rows of
 * that company alone.
 */
export function answer<N extends InsightName>(
  name: N,
  query: InsightQuery<N>,
  {
    store,
    now,
    state,
    only,
  }: { store: Pick<DashboardStore, 'view'>; now: EpochMs; state: AsOf['state']; only?: string | undefined },
): Promise<InsightAnswer<N> | undefined> {
  return store.view(async (view) => {
    const found = await ASKED[name](view, query, dayOf(now));
    if (found === undefined) return undefined;
    const asOf = await asOfView(view, now, state);
    return { insight: name, title: INSIGHTS[name].title, asOf, ...found } as InsightAnswer<N>;
  }, only);
}

export async function asOfView(view: View, now: EpochMs, state: AsOf['state']): Promise<AsOf> {
  const [applied = {}] = await view.all('FROM applied');
  return {
    state,
    appliedAt: timeText(applied.appliedAt),
    eventTime: timeText(applied.eventTime),
    rows: Number(applied.rows ?? 0),
    now: new Date(now).toISOString(),
    today: isoDate(dayOf(now)),
  };
}
