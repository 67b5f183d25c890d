import * as z from 'zod';
import type { Running } from '../hosts/node/run.ts';
import { type Clock, statusLine } from './status-line.ts';

const arrived = z.object({
  companyID: z.string(),
  industry: z.string(),
  job30: z.number(),
  job90: z.number(),
  riskOfChurn: z.boolean().nullable(),
  churnProbability: z.number().optional(),
  scoreStatus: z.string(),
  riskChanged: z.string().optional(),
  trigger: z.string(),
  version: z.number(),
});

/** An enriched company as it arrives on its stream; what the table shows of it. */
export type ArrivedRow = Readonly<z.infer<typeof arrived>>;

/** Undefined for what somebody else sent to the stream. */
export function arrivedRow(data: Uint8Array): ArrivedRow | undefined {
  try {
    return arrived.safeParse(JSON.parse(Buffer.from(data).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

const ROWS = 12;
const REFRESH_MS = 1000;
/** Without a terminal: a line for the newest row at most this often, and the status less often. */
const LINE_MS = 1000;
const STATUS_MS = 15_000;

/** Shows enriched companies as they arrive: a table that is drawn over itself on a terminal, else lines. */
export class LiveTable {
  readonly #out: NodeJS.WriteStream;
  readonly #clock: Clock;
  /** By company, the newest last. */
  readonly #rows = new Map<string, { readonly row: ArrivedRow; readonly at: number }>();
  #status: () => string = () => '';
  #timer: NodeJS.Timeout | undefined;
  #drawn = 0;
  #lastLine = 0;
  #lastStatus: number;

  constructor(out: NodeJS.WriteStream, clock: Clock) {
    this.#out = out;
    this.#clock = clock;
    this.#lastStatus = clock.now();
  }

  start(engine: Pick<Running, 'status' | 'counters'>): void {
    this.#status = statusLine(engine, this.#clock);
    this.#timer = setInterval(() => this.#show(), REFRESH_MS);
  }

  arrived(row: ArrivedRow): void {
    this.#rows.delete(row.companyID);
    this.#rows.set(row.companyID, { row, at: this.#clock.now() });
    if (this.#rows.size > ROWS) this.#rows.delete(this.#rows.keys().next().value ?? '');
    const now = this.#clock.now();
    if (this.#out.isTTY || now - this.#lastLine < LINE_MS) return;
    this.#lastLine = now;
    this.#out.write(`${lineOf(row)}\n`);
  }

  /** A message stands above the table, which is drawn anew below it. */
  say(message: string): void {
    this.#erase();
    this.#out.write(`${message}\n`);
    if (this.#timer !== undefined && this.#out.isTTY) this.#draw();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#drawn = 0;
  }

  #show(): void {
    if (this.#out.isTTY) {
      this.#erase();
      this.#draw();
      return;
    }
    const now = this.#clock.now();
    if (now - this.#lastStatus < STATUS_MS) return;
    this.#lastStatus = now;
    this.#out.write(`${this.#status()}\n`);
  }

  #erase(): void {
    if (this.#drawn > 0) this.#out.write(`\x1b[${this.#drawn}A\x1b[0J`);
    this.#drawn = 0;
  }

  #draw(): void {
    const width = this.#out.columns > 0 ? this.#out.columns : 80;
    const now = this.#clock.now();
    const rows = [...this.#rows.values()].reverse().map(({ row, at }) => `${cells(row)}  ${agoOf(now - at)}`);
    const lines = ['', HEADER, ...rows, '', ...wrap(this.#status(), width)].map((line) => line.slice(0, width - 1));
    this.#out.write(`${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }
}

const HEADER = `${'company'.padEnd(16)} ${'industry'.padEnd(12)} ${'jobs 30 d'.padStart(9)} ${'90 d'.padStart(9)}  ${'churn'.padEnd(22)}  arrived`;

function cells(row: ArrivedRow): string {
  const { companyID, industry, job30, job90 } = row;
  return `${cut(companyID, 16)} ${cut(industry, 12)} ${String(job30).padStart(9)} ${String(job90).padStart(9)}  ${cut(churnText(row), 22)}`;
}

function lineOf(row: ArrivedRow): string {
  const { companyID, version, industry, job30, job90, trigger } = row;
  return `${companyID} v${version} (${industry}): ${job30} jobs in 30 days, ${job90} in 90; churn ${churnText(row)} [${trigger}]`;
}

/** Never a guess: without a score it says why there is none. */
function churnText({ riskOfChurn, churnProbability, scoreStatus, riskChanged }: ArrivedRow): string {
  if (riskOfChurn === null) return scoreStatus === 'off' ? 'not scored' : 'waits for its score';
  const probability = churnProbability === undefined ? '' : ` ${churnProbability.toFixed(2)}`;
  return `${riskOfChurn ? 'at risk' : 'stays'}${probability}${riskChanged === undefined ? '' : ` (${riskChanged})`}`;
}

function agoOf(ms: number): string {
  return ms < 1000 ? 'now' : `${Math.round(ms / 1000)} s ago`;
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text.padEnd(length);
}

/** Breaks at its separators. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const part of text.split(' · ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.length + 3 < width) lines[lines.length - 1] = `${last} · ${part}`;
    else lines.push(part);
  }
  return lines;
}
