import { type FilteredLogEvent, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { describeApplication } from './application.ts';
import { callOrNone, type Operator } from './aws-call.ts';
import { causeOf, logLine } from './log-lines.ts';

/** An event of the application's log. */
export interface LogEvent {
  readonly at: number;
  readonly text: string;
}

export interface LogQuestion {
  /** Epoch milliseconds. */
  readonly since: number;
  /** A filter pattern of CloudWatch Logs; '' takes all. */
  readonly pattern: string;
  readonly follow: boolean;
}

const LOOK_MS = 2000;
/** CloudWatch shows an event up to so much later than it happened: read again, and told once. */
const LATE_MS = 60_000;
/** Events known within that time; beyond, the oldest are forgotten, and a late one may be told twice. */
const MOST_KNOWN = 100_000;
const MOST_ERRORS = 3;
/** Of the log, when an error is looked for in it. */
const MOST_READ = 10_000;

/**
 * The events of the application's log in the order of CloudWatch, page by page; with `follow` until the signal is aborted.
 * @throws TenantAnalyticsError APPLICATION_NOT_FOUND, also when there is no such log
 */
export async function* logEvents(operator: Operator, question: LogQuestion): AsyncGenerator<LogEvent> {
  const { log, name } = await describeApplication(operator);
  if (log === undefined) {
    throw new TenantAnalyticsError(
      'APPLICATION_NOT_FOUND',
      `${name} writes no log: it has no CloudWatch logging option.`,
    );
  }
  const known = new Map<string, number>();
  let from = question.since;
  for (;;) {
    let newest = from;
    for await (const event of pages(operator, log, from, question.pattern)) {
      const { eventId = '', timestamp = 0, message = '' } = event;
      if (known.has(eventId)) continue;
      if (question.follow) known.set(eventId, timestamp);
      newest = Math.max(newest, timestamp);
      yield { at: timestamp, text: message };
      if (operator.signal.aborted) return;
    }
    if (!question.follow) return;
    from = Math.max(question.since, newest - LATE_MS);
    for (const [id, at] of known) if (at < from || known.size > MOST_KNOWN) known.delete(id);
    await operator.sleep(LOOK_MS, operator.signal);
    if (operator.signal.aborted) return;
  }
}

type Log = { readonly group: string; readonly stream: string };

async function* pages(
  operator: Operator,
  { group, stream }: Log,
  startTime: number,
  filterPattern: string,
): AsyncGenerator<FilteredLogEvent> {
  let nextToken: string | undefined;
  do {
    const answer = await callOrNone(operator, `FilterLogEvents of ${group}`, () =>
      operator.aws.logs.send(
        new FilterLogEventsCommand({
          logGroupName: group,
          logStreamNames: [stream],
          startTime,
          ...(filterPattern === '' ? {} : { filterPattern }),
          ...(nextToken === undefined ? {} : { nextToken }),
        }),
      ),
    );
    if (answer === undefined) {
      throw new TenantAnalyticsError(
        'APPLICATION_NOT_FOUND',
        `There is no log stream ${stream} in ${group}. Make both anew with tenant-analytics app create, which leaves the application as it is.`,
      );
    }
    yield* answer.events ?? [];
    nextToken = answer.nextToken;
  } while (nextToken !== undefined && !operator.signal.aborted);
}

/** The last different errors since then, each as its innermost cause. */
export async function lastErrors(operator: Operator, since: number): Promise<string[]> {
  const { log } = await describeApplication(operator);
  if (log === undefined) return [];
  let causes: string[] = [];
  let read = 0;
  for await (const { message = '' } of pages(operator, log, since, 'ERROR')) {
    const line = logLine(message);
    if (line?.level === 'ERROR') {
      const cause = causeOf(line).slice(0, 500);
      causes = [cause, ...causes.filter((other) => other !== cause)].slice(0, MOST_ERRORS);
    }
    if (++read >= MOST_READ) break;
  }
  return causes;
}
