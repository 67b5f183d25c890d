/** The tables that the questions are asked of. */
export interface Tables {
  readonly rows: string;
  readonly deadLetters: string;
}

/** A question of the business, as SQL that both Athena (Trino) and DuckDB, which tests it, understand. */
export interface NamedQuery {
  readonly name: string;
  readonly description: string;
  readonly sql: string;
}

/** For who opens a question about one company: to be written over. */
export const A_COMPANY = 'comp_1';

const daysAgo = (days: number): string => `CAST(CAST(current_date - INTERVAL '${days}' DAY AS date) AS varchar)`;

/** The questions of the dashboard, of the rows in JSON. */
export function namedQueries({ rows, deadLetters }: Tables): NamedQuery[] {
  // A reader keeps the highest version of a company, and of two rows of one version the scored one (DESIGN section 3).
  const companies = `WITH companies AS (
  SELECT * FROM (
    SELECT *, row_number() OVER (
      PARTITION BY companyid ORDER BY version DESC, CASE WHEN scorestatus = 'scored' THEN 0 ELSE 1 END) AS place
    FROM ${rows} WHERE dt >= ${daysAgo(400)}
  ) AS ranked WHERE place = 1
)`;
  // A row that was scored later is there twice: each version counts once.
  const jobs = (days: number): string => `WITH jobs AS (
  SELECT companyid, version, max(dt) AS dt, max(userid) AS userid, max(nbjobs) AS nbjobs, max(datasize) AS datasize
  FROM ${rows} WHERE "trigger" = 'job' AND dt >= ${daysAgo(days)} GROUP BY companyid, version
)`;
  const lastJobs = `lastjobs AS (
  SELECT companyid, max(dt) AS lastjob FROM ${rows}
  WHERE "trigger" = 'job' AND dt >= ${daysAgo(400)} GROUP BY companyid
)`;
  const perCompany = (count: 'job30' | 'job90'): string => `${companies}
SELECT companyid, industry, job30, job90, monthlyfee, riskofchurn FROM companies ORDER BY ${count}, companyid LIMIT 20`;
  return [
    {
      name: 'customers-by-industry',
      description: 'Tenants, jobs and fees of each industry',
      sql: `${companies}
SELECT industry, count(*) AS tenants, sum(job30) AS job30, sum(job90) AS job90, sum(monthlyfee) AS monthlyfee,
  sum(totalfee) AS totalfee, sum(revenu) AS revenue, sum(employees) AS employees
FROM companies GROUP BY industry ORDER BY job90 DESC, industry`,
    },
    { name: 'least-active-30-days', description: 'Tenants with the fewest jobs in 30 days', sql: perCompany('job30') },
    { name: 'least-active-90-days', description: 'Tenants with the fewest jobs in 90 days', sql: perCompany('job90') },
    {
      name: 'company-jobs',
      description: 'Jobs and bytes of one company, by day; write its id into the query',
      sql: `${jobs(90)}
SELECT dt, sum(nbjobs) AS jobs, count(*) AS batches, sum(datasize) AS bytes
FROM jobs WHERE companyid = '${A_COMPANY}' GROUP BY dt ORDER BY dt`,
    },
    {
      name: 'active-users',
      description: 'Users of one company in 30 days; write its id into the query',
      sql: `${jobs(30)}
SELECT userid, sum(nbjobs) AS jobs, max(dt) AS lastday
FROM jobs WHERE companyid = '${A_COMPANY}' AND userid IS NOT NULL GROUP BY userid ORDER BY jobs DESC, userid`,
    },
    {
      name: 'submissions-by-month',
      description: 'Jobs of all tenants, by month',
      sql: `${jobs(400)}
SELECT substr(dt, 1, 7) AS month, sum(nbjobs) AS jobs, count(*) AS batches, count(DISTINCT companyid) AS companies
FROM jobs GROUP BY substr(dt, 1, 7) ORDER BY month`,
    },
    {
      name: 'batches-per-day',
      description: 'Job events of all tenants, by day',
      sql: `${jobs(90)}
SELECT dt, count(*) AS batches, sum(nbjobs) AS jobs, count(DISTINCT companyid) AS companies
FROM jobs GROUP BY dt ORDER BY dt`,
    },
    {
      name: 'churn-risk',
      description: 'Tenants that are about to leave, the dearest first, with reasons',
      sql: `${companies}
SELECT companyid, industry, churnprobability, reasons, monthlyfee, job30, job90
FROM companies WHERE riskofchurn ORDER BY monthlyfee DESC, companyid`,
    },
    {
      name: 'revenue-at-risk',
      description: 'Monthly fees of tenants at risk, by industry',
      sql: `${companies}
SELECT industry, count(*) AS tenants, sum(CASE WHEN riskofchurn THEN 1 ELSE 0 END) AS atrisk,
  sum(CASE WHEN riskofchurn THEN monthlyfee ELSE 0 END) AS monthlyfeeatrisk, sum(monthlyfee) AS monthlyfee
FROM companies GROUP BY industry ORDER BY monthlyfeeatrisk DESC, industry`,
    },
    {
      name: 'risk-changes',
      description: 'Tenants that turned at-risk or back in the last week',
      sql: `SELECT companyid, version, max(riskchanged) AS change, max(dt) AS dt, max(churnprobability) AS churnprobability,
  max(monthlyfee) AS monthlyfee
FROM ${rows} WHERE riskchanged IS NOT NULL AND dt >= ${daysAgo(7)}
GROUP BY companyid, version ORDER BY dt DESC, companyid, version`,
    },
    {
      name: 'silent-tenants',
      description: 'Tenants without a job in the last two weeks',
      sql: `${companies}, ${lastJobs}
SELECT companies.companyid, industry, lastjob, job90, monthlyfee, riskofchurn
FROM companies LEFT JOIN lastjobs ON lastjobs.companyid = companies.companyid
WHERE lastjob IS NULL OR lastjob < ${daysAgo(14)}
ORDER BY lastjob, companies.companyid`,
    },
    {
      name: 'unscored-share',
      description: 'How many tenants have a score',
      sql: `${companies}
SELECT scorestatus, count(*) AS tenants, CAST(count(*) AS double) / sum(count(*)) OVER () AS share
FROM companies GROUP BY scorestatus ORDER BY tenants DESC, scorestatus`,
    },
    {
      name: 'dead-letters',
      description: 'Records that could not be used, by day and reason',
      sql: `SELECT dt, source, reason, count(*) AS records, max(message) AS example
FROM ${deadLetters} WHERE dt >= ${daysAgo(30)}
GROUP BY dt, source, reason ORDER BY dt DESC, records DESC, source, reason`,
    },
  ];
}
