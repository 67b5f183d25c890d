import { MAX_TIME } from '../../base/time.ts';

/** How DuckDB reads a row, from files and from the stream alike. */
export const ROW_COLUMNS = {
  companyID: 'VARCHAR',
  industry: 'VARCHAR',
  revenu: 'DOUBLE',
  employees: 'DOUBLE',
  job30: 'BIGINT',
  job90: 'BIGINT',
  monthlyFee: 'DOUBLE',
  totalFee: 'DOUBLE',
  riskOfChurn: 'BOOLEAN',
  churnProbability: 'DOUBLE',
  reasons: 'JSON',
  modelVersion: 'VARCHAR',
  scoreStatus: 'VARCHAR',
  riskChanged: 'VARCHAR',
  trigger: 'VARCHAR',
  eventTime: 'BIGINT',
  userID: 'VARCHAR',
  nbJobs: 'BIGINT',
  dataSize: 'BIGINT',
  version: 'BIGINT',
} as const;

const TEXTS = ['companyID', 'industry'] as const;
const NUMBERS = ['revenu', 'employees', 'monthlyFee', 'totalFee'] as const;
const COUNTS = ['job30', 'job90', 'nbJobs'] as const;
const SCORE_STATUS: readonly unknown[] = ['scored', 'unavailable', 'off'];
const TRIGGER: readonly unknown[] = ['job', 'decay'];

/** A row of `enrichedcompanies` as its JSON text, or undefined when it is none. */
export function rowText(data: Uint8Array): string | undefined {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8').trim();
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isRow(row) ? text : undefined;
}

function isRow(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const row = value as Readonly<Record<string, unknown>>;
  return (
    TEXTS.every((name) => typeof row[name] === 'string') &&
    row.companyID !== '' &&
    NUMBERS.every((name) => Number.isFinite(row[name])) &&
    COUNTS.every((name) => isCount(row[name])) &&
    isCount(row.version) &&
    Number(row.version) >= 1 &&
    isCount(row.eventTime) &&
    Number(row.eventTime) <= MAX_TIME &&
    SCORE_STATUS.includes(row.scoreStatus) &&
    TRIGGER.includes(row.trigger)
  );
}

/** The same of a row that DuckDB read, where what did not fit its column is null. */
export const IS_ROW = `companyID <> '' AND industry IS NOT NULL AND revenu IS NOT NULL AND employees IS NOT NULL
  AND monthlyFee IS NOT NULL AND totalFee IS NOT NULL AND job30 >= 0 AND job90 >= 0 AND nbJobs >= 0 AND version >= 1
  AND eventTime BETWEEN 0 AND ${MAX_TIME} AND scoreStatus IN ('scored', 'unavailable', 'off') AND trigger IN ('job', 'decay')`;

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
