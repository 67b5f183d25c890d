import { DAY_MS, type UtcDay } from '../../base/time.ts';
import { type Ask, answered, firstDay, ofIndustry, totalsOf, valuesOf } from './insight-sql.ts';
import type { InsightRow, InsightTotals } from './insights-schema.ts';
import type { Flat } from './store.ts';

const FLIPS = `count(*) FILTER (change = 'at-risk') AS turnedAtRisk, count(*) FILTER (change = 'recovered') AS recovered`;
const FLIP_DAY = `(eventTime // ${DAY_MS})::INTEGER`;
const AT_RISK = `count(*) FILTER (riskOfChurn) AS atRisk, coalesce(sum(monthlyFee) FILTER (riskOfChurn), 0) AS monthlyFeeAtRisk`;
const FEES = `${AT_RISK}, coalesce(sum(monthlyFee), 0) AS monthlyFee, coalesce(monthlyFeeAtRisk / nullif(sum(monthlyFee), 0), 0) AS shareAtRisk`;
/** A score without a probability is kept as -1: so that the last of a day is found, and not the last with one. */
const PROBABILITY = 'nullif(arg_max(probability, version), -1)';

const flippedSince = (today: UtcDay, days: number) => `${FLIP_DAY} BETWEEN ${firstDay(today, days)} AND ${today}`;

export const churnRisk: Ask<'churn-risk'> = async (view, { industry, only, limit }) => {
  const values = valuesOf({ industry });
  const those = `riskOfChurn IS NOT NULL AND ${ofIndustry(industry)}${only === 'at-risk' ? ' AND riskOfChurn' : ''}`;
  const rows = await view.all(
    `SELECT companyID, industry, churnProbability, riskOfChurn, reasons, modelVersion, job30, job90, monthlyFee, lastJobAt,
      eventTime AS scoredAt
    FROM companies WHERE ${those}
    ORDER BY churnProbability DESC NULLS LAST, riskOfChurn DESC, monthlyFee DESC, companyID LIMIT ${limit}`,
    values,
  );
  return {
    totals: await totalsOf(view, `SELECT count(*) AS scored, ${AT_RISK} FROM companies WHERE ${those}`, values),
    rows: answered<InsightRow<'churn-risk'>>(rows).map((row, index) => ({ ...row, reasons: inWords(rows[index]) })),
  };
};

export const companyScore: Ask<'company-score'> = async (view, { companyID, days }, today) => {
  const [totals] = answered<InsightTotals<'company-score'>>(
    await view.all('SELECT companyID, riskOfChurn, churnProbability FROM companies WHERE companyID = $companyID', {
      companyID,
    }),
  );
  if (totals === undefined) return undefined;
  const rows = await view.all(
    `SELECT day, ${PROBABILITY} AS churnProbability, arg_max(churn, version) AS riskOfChurn FROM scores
    WHERE companyID = $companyID AND day BETWEEN ${firstDay(today, days)} AND ${today} GROUP BY day ORDER BY day`,
    { companyID },
  );
  return { totals, rows: answered(rows) };
};

export const riskTrend: Ask<'risk-trend'> = async (view, { days }, today) => ({
  totals: await totalsOf(view, `SELECT ${FLIPS} FROM flips WHERE ${flippedSince(today, days)}`),
  rows: answered(
    await view.all(
      `WITH last AS (SELECT companyID, day, ${PROBABILITY} AS probability, arg_max(churn, version) AS churn
        FROM scores WHERE day BETWEEN ${firstDay(today, days)} AND ${today} GROUP BY companyID, day)
      SELECT day, coalesce(scored, 0) AS scored, coalesce(atRisk, 0) AS atRisk, meanProbability,
        coalesce(turnedAtRisk, 0) AS turnedAtRisk, coalesce(recovered, 0) AS recovered
      FROM (SELECT range::INTEGER AS day FROM range(${firstDay(today, days)}, ${today + 1}))
      LEFT JOIN (SELECT day, count(*) AS scored, count(*) FILTER (churn) AS atRisk, avg(probability) AS meanProbability
        FROM last GROUP BY day) USING (day)
      LEFT JOIN (SELECT ${FLIP_DAY} AS day, ${FLIPS} FROM flips GROUP BY day) USING (day)
      ORDER BY day`,
    ),
  ),
});

export const revenueAtRisk: Ask<'revenue-at-risk'> = async (view) => ({
  totals: await totalsOf(view, `SELECT ${FEES} FROM companies`),
  rows: answered(
    await view.all(
      `SELECT industry, count(*) AS tenants, ${FEES} FROM companies GROUP BY industry
      ORDER BY monthlyFeeAtRisk DESC, industry`,
    ),
  ),
});

export const riskChanges: Ask<'risk-changes'> = async (view, { days, limit }, today) => ({
  totals: await totalsOf(view, `SELECT ${FLIPS} FROM flips WHERE ${flippedSince(today, days)}`),
  rows: answered(
    await view.all(
      `SELECT ${FLIP} FROM flips JOIN companies USING (companyID) WHERE ${flippedSince(today, days).replaceAll('eventTime', 'flips.eventTime')}
      ORDER BY flips.eventTime DESC, companyID, flips.version DESC LIMIT ${limit}`,
    ),
  ),
});

/** Of flips joined with companies. */
export const FLIP = `companyID, industry, change, flips.eventTime AS "at", nullif(probability, -1) AS churnProbability, monthlyFee, flips.version AS version`;

export const silent: Ask<'silent'> = async (view, { days, industry, limit }, today) => {
  const values = valuesOf({ industry });
  const those = `(lastJobAt IS NULL OR lastJobAt // ${DAY_MS} < ${firstDay(today, days)}) AND ${ofIndustry(industry)}`;
  return {
    totals: await totalsOf(
      view,
      `SELECT count(*) AS silent, coalesce(sum(monthlyFee), 0) AS monthlyFee FROM companies WHERE ${those}`,
      values,
    ),
    rows: answered(
      await view.all(
        `SELECT companyID, industry, lastJobAt, ${today} - lastJobAt // ${DAY_MS} AS silentDays, job90, monthlyFee,
          riskOfChurn, churnProbability
        FROM companies WHERE ${those} ORDER BY lastJobAt DESC NULLS LAST, companyID LIMIT ${limit}`,
        values,
      ),
    ),
  };
};

export const scoring: Ask<'scoring'> = async (view) => ({
  totals: await totalsOf(
    view,
    `SELECT count(*) AS tenants, count(*) FILTER (riskOfChurn IS NULL) AS unscored,
      coalesce(unscored / nullif(tenants, 0), 0) AS unscoredShare FROM companies`,
  ),
  rows: answered(
    await view.all(
      `SELECT scoreStatus, count(*) AS tenants, tenants / sum(tenants) OVER () AS share
      FROM companies GROUP BY scoreStatus ORDER BY tenants DESC, scoreStatus`,
    ),
  ),
});

/** Reasons are what the model said: those of ours have a text, others are shown as they came. */
export function inWords(row: Flat | undefined): string[] {
  if (typeof row?.reasons !== 'string') return [];
  const reasons: unknown = JSON.parse(row.reasons);
  if (reasons === null) return [];
  return (Array.isArray(reasons) ? reasons : [reasons]).map((reason: unknown) => {
    if (typeof reason === 'string') return reason;
    const text = typeof reason === 'object' && reason !== null && 'text' in reason ? reason.text : undefined;
    return typeof text === 'string' ? text : JSON.stringify(reason);
  });
}
