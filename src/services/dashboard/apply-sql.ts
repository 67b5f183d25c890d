import { DAY_MS } from '../../base/time.ts';
import { ROW_COLUMNS } from './row-input.ts';

/*
 * What DuckDB holds. All of it can be made again from the rows.
 *
 * `days`, `users` and `scores` are appended to: their rows of one key add up when they are read, and are folded into one
 * now and then (FOLD). An update of each would search the whole table for every batch.
 */
export const TABLES = `
  CREATE TABLE companies (companyID VARCHAR, industry VARCHAR, revenu DOUBLE, employees DOUBLE, job30 BIGINT, job90 BIGINT,
    monthlyFee DOUBLE, totalFee DOUBLE, riskOfChurn BOOLEAN, churnProbability DOUBLE, reasons VARCHAR, modelVersion VARCHAR,
    scoreStatus VARCHAR, trigger VARCHAR, eventTime BIGINT, userID VARCHAR, nbJobs BIGINT, version BIGINT, isScored BOOLEAN,
    lastJobAt BIGINT);
  CREATE TABLE days (companyID VARCHAR, day INTEGER, jobs DOUBLE, batches BIGINT, dataSize DOUBLE);
  CREATE TABLE users (companyID VARCHAR, userID VARCHAR, firstDay INTEGER, lastDay INTEGER, jobs DOUBLE, batches BIGINT);
  CREATE TABLE scores (companyID VARCHAR, day INTEGER, version BIGINT, probability DOUBLE, churn BOOLEAN);
  CREATE TABLE flips (companyID VARCHAR, version BIGINT, change VARCHAR, eventTime BIGINT, probability DOUBLE);
  -- Versions counted, as ranges without gaps: one a company, unless rows of it are missing.
  CREATE TABLE seen (companyID VARCHAR, lo BIGINT, hi BIGINT);
  CREATE TABLE applied (rows BIGINT, eventTime BIGINT, appliedAt BIGINT);
  INSERT INTO applied VALUES (0, NULL, NULL)`;

/** Users kept of a company, those with the latest jobs. */
export const MOST_USERS = 200;

const columns = Object.keys(ROW_COLUMNS);
const DAY = `(eventTime // ${DAY_MS})::INTEGER`;
/** Of two rows of one version the scored one stands. */
const RANK = `(version * 2 + isScored::INTEGER)`;
const KEPT = columns.filter((name) => !['riskChanged', 'dataSize', 'reasons'].includes(name));

/**
 * Takes the rows of the temporary table `incoming`, in one transaction. A row counts once for each (companyID, version),
 * whether it comes again in one batch, later, or with a score.
 */
export const APPLY: readonly string[] = [
  `CREATE OR REPLACE TEMP TABLE fresh AS
    SELECT companyID, version, any_value(trigger) AS trigger, any_value(eventTime) AS eventTime,
      any_value(userID) AS userID, any_value(nbJobs) AS nbJobs, any_value(dataSize) AS dataSize
    FROM incoming WHERE NOT EXISTS
      (FROM seen WHERE seen.companyID = incoming.companyID AND incoming.version BETWEEN seen.lo AND seen.hi)
    GROUP BY companyID, version`,
  `INSERT INTO days SELECT companyID, ${DAY} AS day, sum(nbJobs), count(*), coalesce(sum(dataSize), 0)
    FROM fresh WHERE trigger = 'job' GROUP BY companyID, day`,
  `INSERT INTO users SELECT companyID, userID, min(${DAY}), max(${DAY}), sum(nbJobs), count(*)
    FROM fresh WHERE trigger = 'job' AND userID IS NOT NULL GROUP BY companyID, userID`,
  `INSERT INTO scores SELECT companyID, ${DAY} AS day, max(version), arg_max(churnProbability, version), arg_max(riskOfChurn, version)
    FROM (SELECT * REPLACE (coalesce(churnProbability, -1) AS churnProbability) FROM incoming)
    WHERE scoreStatus = 'scored' AND riskOfChurn IS NOT NULL GROUP BY companyID, day`,
  `CREATE OR REPLACE TEMP TABLE new_flips AS
    SELECT companyID, version, any_value(riskChanged) AS change, any_value(eventTime) AS eventTime, any_value(churnProbability) AS probability,
      any_value(industry) AS industry, any_value(monthlyFee) AS monthlyFee, any_value(reasons)::VARCHAR AS reasons
    FROM incoming WHERE riskChanged IN ('at-risk', 'recovered') AND NOT EXISTS
      (FROM flips WHERE flips.companyID = incoming.companyID AND flips.version = incoming.version)
    GROUP BY companyID, version`,
  'INSERT INTO flips SELECT companyID, version, change, eventTime, probability FROM new_flips',
  `CREATE OR REPLACE TEMP TABLE newest AS
    SELECT candidate.*, lastJobAt, known.version IS NULL OR candidate.version * 2 + candidate.isScored::INTEGER > known.version * 2 + known.isScored::INTEGER AS isNewer
    FROM (SELECT unnest(max_by(struct_pack(${KEPT.map((name) => `${name} := ${name}`).join(', ')}, reasons := reasons::VARCHAR, isScored := isScored), ${RANK}))
          FROM (SELECT *, scoreStatus = 'scored' AND riskOfChurn IS NOT NULL AS isScored FROM incoming) GROUP BY companyID) AS candidate
    JOIN (SELECT companyID, max(eventTime) FILTER (trigger = 'job') AS lastJobAt FROM incoming GROUP BY companyID) USING (companyID)
    LEFT JOIN (SELECT companyID, version, isScored FROM companies) AS known USING (companyID)`,
  `MERGE INTO companies USING newest ON companies.companyID = newest.companyID
    WHEN MATCHED AND newest.isNewer THEN UPDATE SET
      ${[...KEPT, 'reasons', 'isScored'].map((name) => `${name} = newest.${name}`).join(', ')}, lastJobAt = greatest(companies.lastJobAt, newest.lastJobAt)
    WHEN MATCHED AND newest.lastJobAt > coalesce(companies.lastJobAt, -1) THEN UPDATE SET lastJobAt = newest.lastJobAt
    WHEN NOT MATCHED THEN INSERT (${[...KEPT, 'reasons', 'isScored', 'lastJobAt'].join(', ')})
      VALUES (${[...KEPT, 'reasons', 'isScored', 'lastJobAt'].map((name) => `newest.${name}`).join(', ')})`,
  `CREATE OR REPLACE TEMP TABLE ranges AS
    SELECT companyID, min(version) AS lo, max(version) AS hi
    FROM (SELECT companyID, version, version - row_number() OVER (PARTITION BY companyID ORDER BY version) AS run FROM fresh)
    GROUP BY companyID, run
    UNION ALL
    SELECT companyID, lo, hi FROM seen SEMI JOIN fresh USING (companyID)`,
  'DELETE FROM seen WHERE companyID IN (SELECT companyID FROM ranges)',
  `INSERT INTO seen SELECT companyID, min(lo), max(hi)
    FROM (SELECT *, sum(isStart) OVER (PARTITION BY companyID ORDER BY lo) AS run
          FROM (SELECT *, coalesce(lo > 1 + lag(hi) OVER (PARTITION BY companyID ORDER BY lo), true)::INTEGER AS isStart FROM ranges))
    GROUP BY companyID, run`,
  `UPDATE applied SET rows = rows + (SELECT count(*) FROM fresh), appliedAt = $now,
    eventTime = greatest(eventTime, (SELECT max(eventTime) FROM incoming))`,
];

/** Tables that are updated, made anew: DuckDB keeps in memory what was updated or deleted until then. */
export const RENEW: readonly string[] = [
  'CREATE OR REPLACE TABLE companies AS FROM companies',
  'CREATE OR REPLACE TABLE seen AS FROM seen',
];

/**
 * Folds what was appended, and forgets days before the quarter that began over a year ago: so nothing grows with time. An
 * event of the future must not make us forget the present: the clock bounds what is called newest.
 */
export function foldSql(today: number): readonly string[] {
  const keptFrom = `(SELECT coalesce(date_diff('day', DATE '1970-01-01',
    date_trunc('quarter', DATE '1970-01-01' + least(max(day), ${today}))::DATE - INTERVAL 1 YEAR), 0) FROM days)`;
  return [
    `SET VARIABLE kept_from = ${keptFrom}`,
    `CREATE OR REPLACE TABLE scores AS
      SELECT companyID, day, max(version) AS version, arg_max(probability, version) AS probability, arg_max(churn, version) AS churn
      FROM scores WHERE day >= getvariable('kept_from') GROUP BY companyID, day`,
    `CREATE OR REPLACE TABLE flips AS FROM flips WHERE eventTime >= getvariable('kept_from') * ${DAY_MS}`,
    `CREATE OR REPLACE TABLE users AS
      SELECT companyID, userID, min(firstDay) AS firstDay, max(lastDay) AS lastDay, sum(jobs) AS jobs, sum(batches)::BIGINT AS batches
      FROM users GROUP BY companyID, userID
      QUALIFY row_number() OVER (PARTITION BY companyID ORDER BY max(lastDay) DESC, userID) <= ${MOST_USERS}`,
    `CREATE OR REPLACE TABLE days AS
      SELECT companyID, day, sum(jobs) AS jobs, sum(batches)::BIGINT AS batches, sum(dataSize) AS dataSize
      FROM days WHERE day >= getvariable('kept_from') GROUP BY companyID, day`,
  ];
}
