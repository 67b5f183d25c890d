/*
 * What a user tied to one company sees of the store: each table stands behind a view of the same name that has the rows of that
 * company only. A question is asked as it is for all, so none can forget to leave out the others.
 */
const TABLES = ['companies', 'days', 'users', 'scores', 'flips', 'seen'] as const;

/** For a connection of its own, in which the variable `only_company` is set. */
export const OF_COMPANY: readonly string[] = [
  ...TABLES.map(
    (table) => `CREATE TEMP VIEW ${table} AS FROM memory.main.${table} WHERE companyID = getvariable('only_company')`,
  ),
  // How much came of all is nothing of theirs; when the service last heard anything is told to the minute.
  `CREATE TEMP VIEW applied AS SELECT
    (SELECT coalesce(sum(hi - lo + 1), 0)::BIGINT FROM seen) AS rows,
    (SELECT max(eventTime) FROM companies) AS eventTime,
    (SELECT appliedAt // 60000 * 60000 FROM memory.main.applied) AS appliedAt`,
];
