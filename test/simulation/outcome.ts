import { csvCell } from '../../src/core/rows.ts';
import { churnOf } from './simulated-services.ts';

/** What a reader of the output finds. */
export interface Outcome {
  /** One line for each row as it stands, also when two have one version: `canonical` without its mercy. */
  readonly rows: readonly string[];
  readonly deadLetters: readonly { readonly line: number; readonly reason: string }[];
  /** What is wrong with scores: a row that was never scored, a score that is not that of its counts. */
  readonly wrongScores: readonly string[];
  /** Rows that left without a score, before they were scored. */
  readonly unscored: number;
  /** Names of files that no reader should meet. */
  readonly unfinished: readonly string[];
}

interface Row {
  readonly trigger: string;
  readonly companyID: string;
  readonly eventTime: number;
  readonly userID?: string;
  readonly nbJobs: number;
  readonly job30: number;
  readonly job90: number;
  readonly version: number;
  readonly riskOfChurn: boolean | null;
  readonly scoreStatus: 'scored' | 'unavailable' | 'off';
}

export function readOutcome(files: ReadonlyMap<string, Uint8Array>, folder: string): Outcome {
  const rows: string[] = [];
  const unscored: string[] = [];
  const scored: string[] = [];
  const wrongScores: string[] = [];
  const deadLetters: { line: number; reason: string }[] = [];
  const unfinished: string[] = [];
  for (const [path, bytes] of files) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (path.startsWith(`${folder}/.state/`)) continue;
    if (name.startsWith('.')) {
      unfinished.push(path);
      continue;
    }
    const lines = new TextDecoder('utf-8', { fatal: true }).decode(bytes).split('\n');
    if (lines.pop() !== '') throw new Error(`${path}: its last line is torn`);
    for (const line of lines) {
      if (path.startsWith(`${folder}/_dead-letters/`)) {
        const letter = JSON.parse(line) as { sequenceNumber: string; reason: string };
        deadLetters.push({ line: Number(letter.sequenceNumber), reason: letter.reason });
      } else {
        const row = JSON.parse(line) as Row;
        const text = rowLine(row);
        if (row.riskOfChurn !== (row.scoreStatus === 'scored' ? churnOf(row) : null)) wrongScores.push(line);
        if (row.scoreStatus === 'scored') scored.push(text);
        if (row.scoreStatus === 'unavailable') unscored.push(text);
        if (row.scoreStatus !== 'unavailable') rows.push(text);
      }
    }
  }
  const all = new Set(scored);
  for (const text of unscored) if (!all.has(text)) wrongScores.push(`never scored: ${text}`);
  if (new Set(unscored).size !== unscored.length) wrongScores.push('a row left without a score twice');
  rows.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  deadLetters.sort((a, b) => a.line - b.line);
  return { rows, deadLetters, unfinished, wrongScores, unscored: unscored.length };
}

function rowLine(row: Row): string {
  const { trigger, companyID, eventTime, userID = '', nbJobs, job30, job90, version } = row;
  return [trigger, companyID, eventTime, userID, nbJobs, job30, job90, version]
    .map((cell) => csvCell(String(cell)))
    .join(',');
}
