import { Command } from 'commander';
import { messageOf, TenantAnalyticsError } from '../base/errors.ts';
import { printLines } from './output.ts';

interface InsightsOptions {
  readonly url: string;
  readonly limit?: string;
  readonly json: boolean;
  readonly csv: boolean;
}

type Answer = Readonly<Record<string, unknown>>;

export function insightsCommand(): Command {
  return new Command('insights')
    .description('asks a running dashboard; without a question, it lists them')
    .argument('[question]', 'such as least-active, silent, revenue-at-risk')
    .argument('[name=value...]', 'what the question takes, such as industry=retail days=30 companyID=comp_4')
    .option('--url <url>', 'of the dashboard', 'http://127.0.0.1:8080')
    .option('--limit <rows>', 'at most so many rows, where the question takes it')
    .option('--json', 'the answer as JSON', false)
    .option('--csv', 'its rows as CSV', false)
    .addHelpText('after', '\nA dashboard that asks who signs in takes a token: put it in DASHBOARD_TOKEN.')
    .action(askAndPrint);
}

async function askAndPrint(
  question: string | undefined,
  words: readonly string[],
  { url, limit, json, csv }: InsightsOptions,
): Promise<void> {
  if (json && csv) throw new TenantAnalyticsError('USAGE', 'Choose --json or --csv: an answer is one of them.');
  const address = addressOf(url, question, words, limit);
  if (csv) address.searchParams.set('format', 'csv');
  const text = await answerOf(address);
  if (csv)
    return printLines(
      text
        .trimEnd()
        .split('\n')
        .map((line) => line.trimEnd()),
    );
  const answer = JSON.parse(text) as Answer;
  if (json) return printLines([JSON.stringify(answer, null, 2)]);
  return printLines(question === undefined ? questions(answer) : table(answer));
}

function addressOf(
  url: string,
  question: string | undefined,
  words: readonly string[],
  limit: string | undefined,
): URL {
  let address: URL;
  try {
    address = new URL(
      `api/insights${question === undefined ? '' : `/${encodeURIComponent(question)}`}`,
      `${url.replace(/\/$/, '')}/`,
    );
  } catch {
    throw new TenantAnalyticsError('USAGE', `--url: expected the URL of a dashboard, got ${url}.`);
  }
  for (const word of words) {
    const equals = word.indexOf('=');
    if (equals < 1) throw new TenantAnalyticsError('USAGE', `expected name=value, such as days=30, got ${word}.`);
    address.searchParams.append(word.slice(0, equals), word.slice(equals + 1));
  }
  if (limit !== undefined) address.searchParams.set('limit', limit);
  return address;
}

async function answerOf(address: URL): Promise<string> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(address, { redirect: 'error', headers: bearer(process.env.DASHBOARD_TOKEN) });
    text = await response.text();
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new TenantAnalyticsError(
      'SERVICE_FAILED',
      `No dashboard answers at ${address.origin}: ${messageOf(cause) || 'it cannot be reached'}. Start it (npm start, or tenant-analytics dashboard), or name another with --url.`,
    );
  }
  if (response.ok) return text;
  const told = messageIn(text);
  if (response.status === 401) throw new TenantAnalyticsError('USAGE', `${told}. Put a token in DASHBOARD_TOKEN.`);
  const list =
    response.status === 404 && told.startsWith('there is no GET')
      ? ' (tenant-analytics insights lists all questions)'
      : '';
  throw new TenantAnalyticsError(response.status < 500 ? 'USAGE' : 'SERVICE_FAILED', `${told}${list}`);
}

/** From the environment: words of a command are seen by others. */
function bearer(token: string | undefined): Record<string, string> {
  return token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` };
}

function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // Not from a dashboard: it is shown as it came.
  }
  return `expected the answer of a dashboard, got: ${text.slice(0, 100)}`;
}

function* questions(catalogue: Answer): Generator<string> {
  const insights = catalogue.insights as readonly { name: string; title: string; parameters: readonly string[] }[];
  const width = Math.max(...insights.map(({ name }) => name.length));
  for (const { name, title, parameters } of insights) {
    yield `${name.padEnd(width)}  ${title}${parameters.length > 0 ? ` (${parameters.join(', ')})` : ''}`;
  }
}

/** Rows under the names of their columns, numbers to the right; the totals, and as of when it is. */
function* table({ title, rows, totals, asOf }: Answer): Generator<string> {
  const all = rows as readonly Answer[];
  yield String(title);
  if (all[0] === undefined) yield '(no rows)';
  else yield* grid(Object.keys(all[0]), all);
  const numbers = Object.entries(totals as Answer).map(([name, value]) => `${name} ${shown(value)}`);
  if (numbers.length > 0) yield `Totals: ${numbers.join(' · ')}`;
  const { appliedAt, eventTime, state } = asOf as Answer;
  const growing = state === 'catching-up' ? ' It still reads rows written before: numbers grow.' : '';
  yield appliedAt === null
    ? `No row came yet.${growing}`
    : `As of ${String(appliedAt)}${eventTime === null ? '' : `, with events up to ${String(eventTime)}`}.${growing}`;
}

function* grid(names: readonly string[], rows: readonly Answer[]): Generator<string> {
  const cells = rows.map((row) => names.map((name) => shown(row[name])));
  const widths = names.map((name, index) =>
    cells.reduce((most, line) => Math.max(most, line[index]?.length ?? 0), name.length),
  );
  const isNumber = names.map((name) => rows.every((row) => row[name] === null || typeof row[name] === 'number'));
  for (const line of [names, ...cells]) {
    yield line
      .map((cell, index) => (isNumber[index] ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd();
  }
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'number') return String(Number(value.toFixed(4)));
  // Ids come from outside: none of them may steer a terminal.
  return (Array.isArray(value) ? value.join('; ') : String(value)).replaceAll(/\p{Cc}/gu, '?');
}
