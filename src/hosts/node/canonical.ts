import { TenantAnalyticsError } from '../../base/errors.ts';
import { type JsonLine, jsonLines, rowFiles } from '../../connectors/file/row-files.ts';
import { csvCell } from '../../core/rows.ts';

/**
 * The JSON rows under a folder in a form that two runs, or two hosts, can be compared by: one line for each (companyID,
 * version), `trigger,companyID,eventTime,userID,nbJobs,job30,job90,version`, sorted by their UTF-8 bytes. Of two rows of
 * one version the scored one stands. Holds all lines in memory: about 150 bytes a row.
 */
export async function canonicalRows(folder: string): Promise<string[]> {
  const companies = new Map<string, Map<number, string>>();
  const files = await rowFiles(folder, '.jsonl');
  if (files.length === 0 && (await rowFiles(folder, '.csv')).length > 0) {
    throw new TenantAnalyticsError(
      'INPUT_UNREADABLE',
      `${folder} holds CSV rows only, which have no event and no version. Write JSON rows to compare (S3SinkFormat=json).`,
    );
  }
  for (const path of files) {
    for await (const row of jsonLines(path)) addRow(companies, row);
  }
  return sortBytewise([...companies.values()].flatMap((versions) => [...versions.values()]));
}

function addRow(companies: Map<string, Map<number, string>>, row: JsonLine): void {
  const companyID = textOf(row, 'companyID');
  const version = numberOf(row, 'version');
  let versions = companies.get(companyID);
  if (versions === undefined) {
    versions = new Map();
    companies.set(companyID, versions);
  }
  if (versions.has(version) && row.value.scoreStatus !== 'scored') return;
  const cells = [
    textOf(row, 'trigger'),
    companyID,
    numberOf(row, 'eventTime'),
    row.value.userID === undefined || row.value.userID === null ? '' : textOf(row, 'userID'),
    numberOf(row, 'nbJobs'),
    numberOf(row, 'job30'),
    numberOf(row, 'job90'),
    version,
  ];
  versions.set(version, cells.map((cell) => csvCell(String(cell))).join(','));
}

function textOf({ value, path, line }: JsonLine, name: string): string {
  const text = value[name];
  if (typeof text === 'string') return text;
  throw new TenantAnalyticsError('INPUT_CORRUPT', `${path}:${line}: expected a row with ${name}, got ${typeof text}`);
}

function numberOf({ value, path, line }: JsonLine, name: string): number {
  const number = value[name];
  if (typeof number === 'number') return number;
  throw new TenantAnalyticsError('INPUT_CORRUPT', `${path}:${line}: expected a row with ${name}, got ${typeof number}`);
}

/** UTF-8 order is that of code points; JavaScript's own is that of UTF-16 units, which differs beyond U+D7FF. */
function sortBytewise(lines: string[]): string[] {
  const differs = lines.some((line) => /[\ud800-\uffff]/.test(line));
  if (!differs) return lines.sort();
  return lines
    .map((line) => Buffer.from(line))
    .sort(Buffer.compare)
    .map(String);
}
