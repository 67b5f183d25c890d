import { Command } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { parseTime } from '../base/time.ts';
import { duration } from '../pipeline/parameter-values.ts';
import { type AppOptions, operating, printJson, withApp } from './app-options.ts';
import { printLines } from './output.ts';

export function describeCommand(): Command {
  return withApp(new Command('describe'))
    .description('its status, version, parallelism, lag, last checkpoint, parameters')
    .option('--json', 'as JSON')
    .action(runDescribe);
}

async function runDescribe(options: AppOptions & { readonly json?: true }): Promise<void> {
  await operating(options, async (operator) => {
    const { describeFully, readable, shownProperties } = await import('../hosts/managed/describe.ts');
    const found = await describeFully(operator);
    if (options.json)
      return printJson({
        ...found.application,
        properties: shownProperties(found.application),
        metrics: found.metrics,
      });
    return printLines(readable(found, operator.clock.now()));
  });
}

interface LogsOptions extends AppOptions {
  readonly follow?: true;
  readonly since: string;
  readonly filter: string;
  readonly stack?: true;
  readonly json?: true;
}

export function logsCommand(): Command {
  return withApp(new Command('logs'))
    .description('its log from CloudWatch, in readable lines')
    .option('--follow', 'go on until Ctrl-C')
    .option('--since <time>', 'so long ago (30 s, 15 min, 2 h, 1 d), or a time (2026-03-01T12:00:00Z)', '15 min')
    .option('--filter <pattern>', 'a filter pattern of CloudWatch Logs, such as ERROR', '')
    .option('--stack', 'whole stacks of exceptions, not their heads')
    .option('--json', 'one event a line: {"timestamp", "message"}, as it was written')
    .action(runLogs);
}

async function runLogs(options: LogsOptions): Promise<void> {
  const since = sinceOf(options.since, Date.now());
  await operating(options, async (operator) => {
    const { logEvents } = await import('../hosts/managed/application-log.ts');
    const { readableLine } = await import('../hosts/managed/log-lines.ts');
    const events = logEvents(operator, { since, pattern: options.filter, follow: options.follow === true });
    const shown = ({ at, text }: { readonly at: number; readonly text: string }) =>
      options.json ? JSON.stringify({ timestamp: at, message: text }) : readableLine(at, text, options.stack === true);
    if (!options.follow) return printLines(mapped(events, shown));
    // Each line at once: it is being looked at.
    for await (const event of events) process.stdout.write(`${shown(event)}\n`);
  });
}

async function* mapped<T>(all: AsyncIterable<T>, to: (one: T) => string): AsyncGenerator<string> {
  for await (const one of all) yield to(one);
}

function sinceOf(text: string, now: number): number {
  const at = /^\d{1,10}$/.test(text) ? undefined : parseTime(text);
  if (at !== undefined) return at;
  const ago = duration.safeParse(text);
  if (ago.success) return Math.max(0, now - ago.data);
  throw new TenantAnalyticsError(
    'USAGE',
    `--since: expected a duration such as 15 min or 2 h, or a time such as 2026-03-01T12:00:00Z, got ${text}.`,
  );
}
