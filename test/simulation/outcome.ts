import { csvCell } from '../../src/core/rows.ts';

/** What a reader of the output finds. */
export interface Outcome {
  /** One line for each row as it stands, also when two have one version: `canonical` without its mercy. */
  readonly rows: readonly string[];
  readonly deadLetters: readonly { readonly line: number; readonly reason: string }[];
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
}

export function readOutcome(files: ReadonlyMap<string, Uint8Array>, folder: string): Outcome {
  const rows: string[] = [];
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
        rows.push(rowLine(JSON.parse(line) as Row));
      }
    }
  }
  rows.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  deadLetters.sort((a, b) => a.line - b.line);
  return { rows, deadLetters, unfinished };
}

function rowLine(row: Row): string {
  const { trigger, companyID, eventTime, userID = '', nbJobs, job30, job90, version } = row;
  return [trigger, companyID, eventTime, userID, nbJobs, job30, job90, version]
    .map((cell) => csvCell(String(cell)))
    .join(',');
}
