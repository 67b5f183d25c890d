import type { UtcDay } from '../../base/time.ts';
import { MOST_USERS } from './apply-sql.ts';
import { type Ask, answered, firstDay, ofIndustry, totalsOf, valuesOf } from './insight-sql.ts';
import type { InsightName, InsightTotals } from './insights-schema.ts';
import type { View } from './store.ts';

const SUMS =
  'coalesce(sum(jobs), 0) AS jobs, coalesce(sum(batches), 0) AS batches, coalesce(sum(dataSize), 0) AS dataSize';
const ALL_SUMS = `${SUMS}, count(DISTINCT companyID) AS companies`;

const since = (today: UtcDay, days: number) => `day BETWEEN ${firstDay(today, days)} AND ${today}`;
/** Each of the last days, also those without jobs. */
const eachDay = (today: UtcDay, days: number) =>
  `(SELECT range::INTEGER AS day FROM range(${firstDay(today, days)}, ${today + 1}))`;

export const companyJobs: Ask<'company-jobs'> = async (view, { companyID, days }, today) => {
  const its = `days WHERE companyID = $companyID AND ${since(today, days)}`;
  const totals = await ofCompany<'company-jobs'>(
    view,
    companyID,
    `SELECT companyID, industry, job30, job90, sums.* FROM companies, (SELECT ${SUMS} FROM ${its}) AS sums`,
  );
  if (totals === undefined) return undefined;
  const rows = await view.all(
    `SELECT day, coalesce(jobs, 0) AS jobs, coalesce(batches, 0) AS batches, coalesce(dataSize, 0) AS dataSize
    FROM ${eachDay(today, days)} LEFT JOIN (SELECT day, ${SUMS} FROM ${its} GROUP BY day) USING (day) ORDER BY day`,
    { companyID },
  );
  return { totals, rows: answered(rows) };
};

export const companyPeers: Ask<'company-peers'> = async (view, { companyID, limit }) => {
  const peers = `WITH peers AS (
    SELECT companyID, industry, job30, job90, rank() OVER (ORDER BY job30 DESC) AS rank30,
      rank() OVER (ORDER BY job90 DESC) AS rank90, companyID = $companyID AS isChosen
    FROM companies WHERE industry = (SELECT industry FROM companies WHERE companyID = $companyID))`;
  const totals = await ofCompany<'company-peers'>(
    view,
    companyID,
    `${peers} SELECT companyID, industry, (SELECT count(*) FROM peers) AS companies, job30, job90, rank30, rank90, others.*
    FROM peers, (SELECT median(job30) AS othersMedian30, median(job90) AS othersMedian90, avg(job30) AS othersMean30,
      avg(job90) AS othersMean90 FROM peers WHERE NOT isChosen) AS others`,
  );
  if (totals === undefined) return undefined;
  const rows = await view.all(
    `${peers} SELECT companyID, job30, job90, rank30, rank90, isChosen
    FROM (SELECT *, row_number() OVER (ORDER BY isChosen DESC, rank90, companyID) AS place FROM peers)
    WHERE place <= ${limit} ORDER BY rank90, companyID`,
    { companyID },
  );
  return { totals, rows: answered(rows) };
};

export const companyUsers: Ask<'company-users'> = async (view, { companyID, days, limit }, today) => {
  const its = `(SELECT userID, sum(jobs) AS jobs, sum(batches) AS batches, min(firstDay) AS firstDay, max(lastDay) AS lastDay
    FROM users WHERE companyID = $companyID GROUP BY userID)`;
  const active = `lastDay >= ${firstDay(today, days)}`;
  const totals = await ofCompany<'company-users'>(
    view,
    companyID,
    `SELECT companyID, counted.* FROM companies,
      (SELECT count(*) AS activeUsers, activeUsers >= ${MOST_USERS} AS isAtLeast FROM ${its} WHERE ${active}) AS counted`,
  );
  if (totals === undefined) return undefined;
  const rows = await view.all(
    `SELECT userID, jobs, batches, firstDay, lastDay FROM ${its} WHERE ${active} ORDER BY lastDay DESC, jobs DESC, userID LIMIT ${limit}`,
    { companyID },
  );
  return { totals, rows: answered(rows) };
};

export const submissionsByMonth: Ask<'submissions-by-month'> = async (view, _query, today) => ({
  totals: await totalsOf(view, `SELECT ${ALL_SUMS} FROM days`),
  rows: answered(await view.all(byPeriod('month', `strftime(first, '%Y-%m')`, today))),
});

export const submissionsByQuarter: Ask<'submissions-by-quarter'> = async (view, _query, today) => ({
  totals: await totalsOf(view, `SELECT ${ALL_SUMS} FROM days`),
  rows: answered(await view.all(byPeriod('quarter', `year(first) || '-Q' || quarter(first)`, today))),
});

const byPeriod = (period: 'month' | 'quarter', name: string, today: UtcDay) => `
  SELECT ${name} AS ${period}, first < date_trunc('${period}', DATE '1970-01-01' + ${today}) AS isOver, * EXCLUDE (first)
  FROM (SELECT date_trunc('${period}', DATE '1970-01-01' + day)::DATE AS first, ${ALL_SUMS} FROM days GROUP BY first)
  ORDER BY first`;

export const batchesPerDay: Ask<'batches-per-day'> = async (view, { days }, today) => ({
  totals: await totalsOf(view, `SELECT ${ALL_SUMS} FROM days WHERE ${since(today, days)}`),
  rows: answered(
    await view.all(
      `SELECT day, coalesce(jobs, 0) AS jobs, coalesce(batches, 0) AS batches, coalesce(dataSize, 0) AS dataSize,
        coalesce(companies, 0) AS companies
      FROM ${eachDay(today, days)} LEFT JOIN (SELECT day, ${ALL_SUMS} FROM days WHERE ${since(today, days)} GROUP BY day) USING (day)
      ORDER BY day`,
    ),
  ),
});

export const submissionFrequency: Ask<'submission-frequency'> = async (
  view,
  { days, industry, order, limit },
  today,
) => {
  const values = valuesOf({ industry });
  const each = `(SELECT companyID, industry, count(DISTINCT day) AS activeDays, coalesce(sum(batches), 0) AS batches,
      coalesce(sum(jobs), 0) AS jobs, coalesce(sum(dataSize), 0) AS dataSize
    FROM companies LEFT JOIN (FROM days WHERE ${since(today, days)}) USING (companyID)
    WHERE ${ofIndustry(industry)} GROUP BY companyID, industry)`;
  return {
    totals: await totalsOf(
      view,
      `SELECT count(*) FILTER (batches > 0) AS active, count(*) FILTER (batches = 0) AS inactive FROM ${each}`,
      values,
    ),
    rows: answered(
      await view.all(
        `SELECT companyID, industry, activeDays, batches, batches / ${days} AS batchesPerDay, jobs, dataSize FROM ${each}
        ORDER BY batches ${order}, companyID LIMIT ${limit}`,
        values,
      ),
    ),
  };
};

/** Of the one row of the company chosen; undefined when it is not known. */
async function ofCompany<N extends InsightName>(
  view: View,
  companyID: string,
  sql: string,
): Promise<InsightTotals<N> | undefined> {
  return answered<InsightTotals<N>>(await view.all(`${sql} WHERE companyID = $companyID`, { companyID }))[0];
}
