import { DAY_MS } from '../../base/time.ts';
import { type Ask, answered, COMPANY, firstDay, idleDays, ofIndustry, totalsOf, valuesOf } from './insight-sql.ts';
import type { InsightTotals } from './insights-schema.ts';

export const overview: Ask<'overview'> = async (view, { silentDays }, today) => {
  const totals = await totalsOf<InsightTotals<'overview'>>(
    view,
    `SELECT count(*) AS tenants, count(DISTINCT industry) AS industries, coalesce(sum(job30), 0) AS job30,
        coalesce(sum(job90), 0) AS job90,
        (SELECT coalesce(sum(jobs), 0) FROM days WHERE day = ${today}) AS jobsToday,
        (SELECT coalesce(sum(batches), 0) FROM days WHERE day = ${today}) AS batchesToday,
        (SELECT count(DISTINCT companyID) FROM days WHERE day = ${today}) AS activeToday,
        coalesce(sum(monthlyFee), 0) AS monthlyFee,
        count(*) FILTER (riskOfChurn) AS atRisk,
        coalesce(sum(monthlyFee) FILTER (riskOfChurn), 0) AS monthlyFeeAtRisk,
        (SELECT count(*) FROM flips WHERE change = 'at-risk' AND eventTime // ${DAY_MS} = ${today}) AS turnedAtRiskToday,
        (SELECT count(*) FROM flips WHERE change = 'recovered' AND eventTime // ${DAY_MS} = ${today}) AS recoveredToday,
        count(*) FILTER (lastJobAt IS NULL OR lastJobAt // ${DAY_MS} < ${firstDay(today, silentDays)}) AS silent,
        count(*) FILTER (riskOfChurn IS NULL) AS unscored
      FROM companies`,
  );
  return { totals, rows: Object.entries(totals).map(([name, value]) => ({ name, value })) };
};

export const customersByIndustry: Ask<'customers-by-industry'> = async (view) => ({
  totals: await totalsOf(
    view,
    `SELECT count(*) AS tenants, count(DISTINCT industry) AS industries, coalesce(sum(job90), 0) AS job90,
      coalesce(sum(monthlyFee), 0) AS monthlyFee, coalesce(sum(totalFee), 0) AS totalFee FROM companies`,
  ),
  rows: answered(
    await view.all(
      `SELECT industry, count(*) AS tenants, tenants / sum(tenants) OVER () AS tenantShare, sum(job30) AS job30,
        sum(job90) AS job90, coalesce(sum(job90) / nullif(sum(sum(job90)) OVER (), 0), 0) AS job90Share,
        sum(monthlyFee) AS monthlyFee, avg(monthlyFee) AS meanMonthlyFee, sum(revenu) AS revenue,
        sum(employees) AS employees, sum(totalFee) AS totalFee,
        count(*) FILTER (riskOfChurn) AS atRisk, count(*) FILTER (riskOfChurn IS NULL) AS unscored
      FROM companies GROUP BY industry ORDER BY job90 DESC, industry`,
    ),
  ),
});

export const companies: Ask<'companies'> = async (view, query, today) => {
  const { industry, search, sort, order, limit, offset } = query;
  const those = `${ofIndustry(industry)} AND ${search === undefined ? 'true' : 'contains(lower(companyID), lower($search))'}`;
  const values = valuesOf({ industry, search });
  return {
    totals: await totalsOf(
      view,
      `SELECT count(*) AS companies, coalesce(sum(monthlyFee), 0) AS monthlyFee, coalesce(sum(totalFee), 0) AS totalFee,
        coalesce(sum(revenu), 0) AS revenue, coalesce(sum(employees), 0) AS employees FROM companies WHERE ${those}`,
      values,
    ),
    rows: answered(
      await view.all(
        `SELECT ${COMPANY(today)} FROM companies WHERE ${those}
        ORDER BY ${sort === 'revenue' ? 'revenu' : sort} ${order} NULLS LAST, companyID LIMIT ${limit} OFFSET ${offset}`,
        values,
      ),
    ),
  };
};

export const leastActive: Ask<'least-active'> = async (view, { by, industry, limit }, today) => {
  const values = valuesOf({ industry });
  return {
    totals: await totalsOf(view, `SELECT count(*) AS companies FROM companies WHERE ${ofIndustry(industry)}`, values),
    rows: answered(
      await view.all(
        `SELECT rank() OVER (ORDER BY ${by}) AS rank, ${COMPANY(today)} FROM companies WHERE ${ofIndustry(industry)}
        ORDER BY rank, companyID LIMIT ${limit}`,
        values,
      ),
    ),
  };
};

export const idle: Ask<'idle'> = async (view, { industry, limit }, today) => {
  const values = valuesOf({ industry });
  return {
    totals: await totalsOf(
      view,
      `SELECT count(*) AS companies, count(*) FILTER (lastJobAt IS NULL) AS neverSubmitted
      FROM companies WHERE ${ofIndustry(industry)}`,
      values,
    ),
    rows: answered(
      await view.all(
        `SELECT companyID, industry, lastJobAt, ${idleDays(today)} AS idleDays, job30, job90, monthlyFee
        FROM companies WHERE ${ofIndustry(industry)} ORDER BY lastJobAt NULLS FIRST, companyID LIMIT ${limit}`,
        values,
      ),
    ),
  };
};
