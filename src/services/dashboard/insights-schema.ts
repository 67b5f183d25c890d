import { z } from 'zod';
import {
  amount,
  asOfSchema,
  companySchema,
  count,
  day,
  industryFilter,
  lastDays,
  limited,
  ofCompany,
  scoreStatus,
  share,
  time,
} from './schema-parts.ts';

export type { PipelineAnswer } from './pipeline-schema.ts';
export type { AsOf } from './schema-parts.ts';

/**
 * What `GET /api/insights/<name>` takes and answers, in one place: routes validate by it, OpenAPI tells it, CSV takes its
 * columns from it, and the page takes its types from here.
 *
 * Every answer is `{ insight, title, asOf, totals, rows }`: `rows` are flat, the numbers of one chart or table; `totals`
 * are the numbers that stand above it. A time is ISO 8601 in UTC, a day `YYYY-MM-DD` in UTC, a share is 0 to 1, fees and
 * revenue are in the unit of the company records, `dataSize` is in bytes.
 */

/** Of all companies on one day, month or quarter. */
const submissions = { jobs: count, batches: count, dataSize: amount, companies: count };

/** By the name in the URL. */
export const INSIGHTS = {
  overview: insight('The numbers above everything', {
    query: { silentDays: z.coerce.number().int().min(1).max(400).default(7) },
    totals: {
      tenants: count,
      industries: count,
      job30: count,
      job90: count,
      jobsToday: count,
      batchesToday: count,
      activeToday: count,
      monthlyFee: amount,
      atRisk: count,
      monthlyFeeAtRisk: amount,
      turnedAtRiskToday: count,
      recoveredToday: count,
      silent: count,
      unscored: count,
    },
    row: { name: z.string(), value: amount },
  }),

  // Customers
  'customers-by-industry': insight('Tenants by industry; size: jobs in 90 days', {
    query: {},
    totals: { tenants: count, industries: count, job90: count, monthlyFee: amount, totalFee: amount },
    row: {
      industry: z.string(),
      tenants: count,
      tenantShare: share,
      job30: count,
      job90: count,
      job90Share: share,
      monthlyFee: amount,
      meanMonthlyFee: amount,
      revenue: amount,
      employees: amount,
      totalFee: amount,
      atRisk: count,
      unscored: count,
    },
  }),
  companies: insight('Companies with fees, revenue, employees and jobs', {
    query: {
      ...industryFilter,
      search: z.string().optional().meta({ description: 'part of a company id, in any case' }),
      sort: z
        .enum(['companyID', 'monthlyFee', 'totalFee', 'revenue', 'employees', 'job30', 'job90', 'churnProbability'])
        .default('companyID'),
      order: z.enum(['asc', 'desc']).default('asc'),
      ...limited(100),
      offset: z.coerce.number().int().min(0).default(0),
    },
    /** Of all pages. */
    totals: { companies: count, monthlyFee: amount, totalFee: amount, revenue: amount, employees: amount },
    row: companySchema.shape,
  }),

  // Jobs
  'company-jobs': insight('Jobs and data size of a company, day by day', {
    query: { ...ofCompany, ...lastDays(90) },
    /** `job30`, `job90`, `industry`: of its newest row; the others: of the days asked for. */
    totals: { companyID: z.string(), industry: z.string(), job30: count, job90: count, ...days() },
    /** Every day, oldest first, also those without jobs. */
    row: { day, jobs: count, batches: count, dataSize: amount },
  }),
  'company-peers': insight('Jobs of a company in 30 and 90 days against the others of its industry', {
    query: { ...ofCompany, ...limited(50) },
    totals: {
      companyID: z.string(),
      industry: z.string(),
      /** With the company itself. */
      companies: count,
      job30: count,
      job90: count,
      /** 1 has the most jobs; equals share a rank. */
      rank30: count,
      rank90: count,
      /** Of the others; null when there is none. */
      othersMedian30: amount.nullable(),
      othersMedian90: amount.nullable(),
      othersMean30: amount.nullable(),
      othersMean90: amount.nullable(),
    },
    /** Most jobs in 90 days first; the company itself is always among them. */
    row: { companyID: z.string(), job30: count, job90: count, rank30: count, rank90: count, isChosen: z.boolean() },
  }),
  'company-users': insight('Active users of a company', {
    query: { ...ofCompany, ...lastDays(30), ...limited(100) },
    totals: {
      companyID: z.string(),
      /** With a job in the days asked for. */
      activeUsers: count,
      /** True: at least so many; not all users are kept. */
      isAtLeast: z.boolean(),
    },
    /** Most recently active first. `jobs` and `batches` since the user is known. */
    row: { userID: z.string(), jobs: count, batches: count, firstDay: day, lastDay: day },
  }),
  'least-active': insight('Companies with the fewest jobs', {
    query: { by: z.enum(['job30', 'job90']).default('job30'), ...industryFilter, ...limited(10) },
    totals: { companies: count },
    /** `rank` 1 has the fewest jobs; equals share a rank. */
    row: { rank: count, ...companySchema.shape },
  }),
  'submissions-by-month': insight('Submissions of all, by month', {
    query: {},
    totals: submissions,
    /** `YYYY-MM`, oldest first. `isOver`: false for the current one. */
    row: { month: z.string(), isOver: z.boolean(), ...submissions },
  }),
  'submissions-by-quarter': insight('Submissions of all, by quarter', {
    query: {},
    totals: submissions,
    /** `YYYY-Qn`, oldest first. */
    row: { quarter: z.string(), isOver: z.boolean(), ...submissions },
  }),
  'batches-per-day': insight('Batches (job events) of all, day by day', {
    query: lastDays(90),
    totals: submissions,
    /** Every day, oldest first. */
    row: { day, ...submissions },
  }),
  'submission-frequency': insight('Who submits how often', {
    query: { ...lastDays(30), ...industryFilter, order: z.enum(['asc', 'desc']).default('desc'), ...limited(100) },
    /** Companies with a job in these days, and those without. */
    totals: { active: count, inactive: count },
    row: {
      companyID: z.string(),
      industry: z.string(),
      /** Days with a job. */
      activeDays: count,
      batches: count,
      batchesPerDay: amount,
      jobs: count,
      dataSize: amount,
    },
  }),
  idle: insight('Who is idle since when', {
    query: { ...industryFilter, ...limited(100) },
    totals: { companies: count, neverSubmitted: count },
    /** Longest idle first; before them those of which no job is known. */
    row: {
      companyID: z.string(),
      industry: z.string(),
      lastJobAt: time.nullable(),
      idleDays: count.nullable(),
      job30: count,
      job90: count,
      monthlyFee: amount,
    },
  }),

  // Risk
  'churn-risk': insight('Tenants by churn probability, with reasons', {
    query: { ...industryFilter, only: z.enum(['all', 'at-risk']).default('all'), ...limited(100) },
    totals: { scored: count, atRisk: count, monthlyFeeAtRisk: amount },
    /** Highest probability first; those without a score are not in it. */
    row: {
      companyID: z.string(),
      industry: z.string(),
      churnProbability: z.number().nullable(),
      riskOfChurn: z.boolean(),
      /** In words, strongest first. */
      reasons: z.array(z.string()),
      modelVersion: z.string().nullable(),
      job30: count,
      job90: count,
      monthlyFee: amount,
      lastJobAt: time.nullable(),
      /** The event its score belongs to. */
      scoredAt: time,
    },
  }),
  'company-score': insight('Trend of the score of a company', {
    query: { ...ofCompany, ...lastDays(90) },
    totals: { companyID: z.string(), riskOfChurn: z.boolean().nullable(), churnProbability: z.number().nullable() },
    /** Days with a score only, oldest first: the last of each day. */
    row: { day, churnProbability: z.number().nullable(), riskOfChurn: z.boolean() },
  }),
  'risk-trend': insight('Trend of the scores of all', {
    query: lastDays(90),
    totals: { turnedAtRisk: count, recovered: count },
    /** Every day, oldest first. `scored`: companies scored on that day; of those, how many at risk, and their mean. */
    row: {
      day,
      scored: count,
      atRisk: count,
      meanProbability: z.number().nullable(),
      turnedAtRisk: count,
      recovered: count,
    },
  }),
  'revenue-at-risk': insight('Monthly fees of tenants at risk, by industry', {
    query: {},
    totals: { atRisk: count, monthlyFeeAtRisk: amount, monthlyFee: amount, shareAtRisk: share },
    /** Most at risk first. */
    row: {
      industry: z.string(),
      tenants: count,
      atRisk: count,
      monthlyFeeAtRisk: amount,
      monthlyFee: amount,
      shareAtRisk: share,
    },
  }),
  'risk-changes': insight('Tenants that turned at-risk, or back', {
    query: { ...lastDays(1), ...limited(1000) },
    totals: { turnedAtRisk: count, recovered: count },
    /** Newest first. */
    row: {
      companyID: z.string(),
      industry: z.string(),
      change: z.enum(['at-risk', 'recovered']),
      at: time,
      churnProbability: z.number().nullable(),
      monthlyFee: amount,
      version: count,
    },
  }),
  silent: insight('Tenants gone silent', {
    query: { ...lastDays(7), ...industryFilter, ...limited(100) },
    /** Companies without a job event for so many days as of the clock. */
    totals: { silent: count, monthlyFee: amount },
    /** Silent for the shortest time first; at the end those of which no job is known. */
    row: {
      companyID: z.string(),
      industry: z.string(),
      lastJobAt: time.nullable(),
      silentDays: count.nullable(),
      job90: count,
      monthlyFee: amount,
      riskOfChurn: z.boolean().nullable(),
      churnProbability: z.number().nullable(),
    },
  }),
  scoring: insight('Tenants with and without a score', {
    query: {},
    totals: { tenants: count, unscored: count, unscoredShare: share },
    row: { scoreStatus, tenants: count, share },
  }),
} as const;

export type InsightName = keyof typeof INSIGHTS;
export type InsightQuery<N extends InsightName> = z.infer<(typeof INSIGHTS)[N]['query']>;
export type InsightAnswer<N extends InsightName> = z.infer<(typeof INSIGHTS)[N]['answer']>;
export type InsightRow<N extends InsightName> = InsightAnswer<N>['rows'][number];
export type InsightTotals<N extends InsightName> = InsightAnswer<N>['totals'];

/**
 * `GET /api/insights/alerts`: what was told to whom, and what waits. Newest first; one row for each alert and target, and
 * before them news of tenants that waits for the end of a quiet period (`held`; `raisedAt` is then when it may be told).
 */
export const alertsSchema = z.object({
  insight: z.literal('alerts'),
  title: z.string(),
  asOf: asOfSchema,
  totals: z.object({
    /** False: this dashboard was started without anywhere to send alerts to. */
    isOn: z.boolean(),
    /** When they were switched on: nothing older is told. */
    since: time.nullable(),
    silentDays: count,
    quietHours: amount,
    /** Deliveries since then. */
    sent: count,
    refused: count,
    /** Changes of tenants that were not told by themselves: something newer stood in their place. */
    merged: count,
    /** Deliveries that wait now, news held by quiet periods, and attempts that failed since the start. */
    waiting: count,
    held: count,
    failedAttempts: count,
  }),
  rows: z.array(
    z.object({
      companyID: z.string(),
      change: z.enum(['at-risk', 'recovered', 'silent']),
      state: z.enum(['held', 'waiting', 'sent', 'refused']),
      /** Where it goes, without what is secret of the address; empty while it is held. */
      target: z.string(),
      raisedAt: time,
      /** When it was sent, or refused for good. */
      settledAt: time.nullable(),
      attempts: count,
      /** Why it waits or was refused. */
      problem: z.string(),
      /** Event time of the flip; of a silence, the last job event. */
      at: time,
      /** (companyID, version) is the idempotency key. */
      version: count,
      churnProbability: z.number().nullable(),
      monthlyFee: amount,
      reasons: z.array(z.string()),
      merged: count,
    }),
  ),
  targets: z.array(z.object({ name: z.string(), waiting: count, problem: z.string(), failingSince: time.nullable() })),
});
export type AlertsAnswer = z.infer<typeof alertsSchema>;

/** Feed event `company`: a company whose newest row is another one now; one event a company, at most some 100 a second. */
export const companyNewsSchema = z.object({
  ...companySchema.shape,
  trigger: z.enum(['job', 'decay']),
  userID: z.string().nullable(),
  nbJobs: count,
});
export type CompanyNews = z.infer<typeof companyNewsSchema>;

/** Feed event `flip`: a tenant turned at-risk, or back. */
export const flipSchema = INSIGHTS['risk-changes'].row;
export type Flip = z.infer<typeof flipSchema>;

/** Feed event `status`, also the answer of `GET /api/status`. */
export const statusSchema = z.object({
  ...asOfSchema.shape,
  tenants: count,
  /** Companies that changed, and were left out of the feed: more came than it tells. Since the service started. */
  companiesNotShown: count,
});
export type Status = z.infer<typeof statusSchema>;

/** `GET /api/insights` */
export const catalogueSchema = z.object({
  insights: z.array(
    z.object({
      name: z.string(),
      title: z.string(),
      href: z.string(),
      /** Columns of its rows and its CSV, in order. */
      columns: z.array(z.string()),
      /** Names of the parameters it takes. */
      parameters: z.array(z.string()),
    }),
  ),
});
export type Catalogue = z.infer<typeof catalogueSchema>;

/** Of every answer that is no success. */
export const problemSchema = z.object({ message: z.string() });

function days() {
  return { jobs: count, batches: count, dataSize: amount };
}

function insight<Q extends z.ZodRawShape, T extends z.ZodRawShape, R extends z.ZodRawShape>(
  title: string,
  { query, totals, row }: { query: Q; totals: T; row: R },
) {
  const rowSchema = z.object(row);
  return {
    title,
    query: z.object(query),
    row: rowSchema,
    answer: z.object({
      insight: z.string(),
      title: z.string(),
      asOf: asOfSchema,
      totals: z.object(totals),
      rows: z.array(rowSchema),
    }),
  };
}
