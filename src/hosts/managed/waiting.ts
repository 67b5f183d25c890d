import { DescribeApplicationOperationCommand } from '@aws-sdk/client-kinesis-analytics-v2';
import { backoffMs } from '../../base/backoff.ts';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { describeApplication, findApplication, type ManagedApplication } from './application.ts';
import { lastErrors } from './application-log.ts';
import { CALLS, call, type Operator } from './aws-call.ts';

const LOOK_MS = 5000;
/** Without a change it is told so often that it goes on. */
const TELL_MS = 30_000;

const BUSY = new Set([
  'STARTING',
  'STOPPING',
  'FORCE_STOPPING',
  'UPDATING',
  'AUTOSCALING',
  'ROLLING_BACK',
  'MAINTENANCE',
  'DELETING',
]);

/** True while the service is at work on it: it comes to rest by itself. */
export function isBusy({ status }: ManagedApplication): boolean {
  return BUSY.has(status);
}

/**
 * Looks until it is so, and tells how it goes. Undefined: the time was over.
 * @throws TenantAnalyticsError STOPPED at Ctrl-C: says what goes on in AWS without us
 */
export async function waitUntil(
  operator: Operator,
  isSo: (application: ManagedApplication) => boolean,
): Promise<ManagedApplication | undefined> {
  const { clock, limitMs, say } = operator;
  const begun = clock.now();
  let told = { status: '', at: begun };
  let wasFound = false;
  for (;;) {
    const now = clock.now();
    const found = await describeApplication(operator).catch((error: unknown) => {
      // An outage on the way is not the end of what goes on in AWS.
      const isOutage = error instanceof TenantAnalyticsError && error.code === 'AWS_UNREACHABLE';
      if (!isOutage || !wasFound || now - begun >= limitMs) throw error;
      say(error.message);
    });
    if (found === undefined) {
      await pause(operator, `${operator.application} goes on in AWS without this command.`);
      continue;
    }
    wasFound = true;
    if (isSo(found)) return found;
    if (found.status !== told.status || now - told.at >= TELL_MS) {
      say(`${found.name}, version ${found.version}: ${found.status} (${ageText(now - begun)})`);
      told = { status: found.status, at: now };
    }
    if (now - begun >= limitMs) return undefined;
    await pause(operator, `${found.name} is ${found.status}, and goes on in AWS without this command.`);
  }
}

/** Looks until it is gone. */
export async function waitUntilGone(operator: Operator): Promise<boolean> {
  const until = operator.clock.now() + operator.limitMs;
  for (let tells = 0; ; tells++) {
    const found = await findApplication(operator);
    if (found === undefined) return true;
    if (tells % 6 === 0) operator.say(`${found.name}: ${found.status}`);
    if (operator.clock.now() >= until) return false;
    await pause(operator, `${found.name} is ${found.status}, and goes on in AWS without this command.`);
  }
}

/** @throws TenantAnalyticsError STOPPED at Ctrl-C */
export async function pause(operator: Operator, goesOn: string, ms = LOOK_MS): Promise<void> {
  await operator.sleep(ms, operator.signal);
  if (operator.signal.aborted) {
    throw new TenantAnalyticsError('STOPPED', `${goesOn} Look: tenant-analytics app describe.`);
  }
}

/** Before the same call is tried once more, after the service was at work, or someone was faster. */
export function pauseBeforeTry(operator: Operator, tries: number): Promise<void> {
  return pause(operator, 'Nothing was changed.', backoffMs(operator.random, tries, CALLS.firstMs, CALLS.longestMs));
}

/** Waits until the service is not at work on it any more. */
export async function settled(operator: Operator): Promise<ManagedApplication> {
  const found = await waitUntil(operator, (application) => !isBusy(application));
  if (found !== undefined) return found;
  throw await tooLong(operator, 'is at work on something else');
}

export async function tooLong(operator: Operator, what: string): Promise<TenantAnalyticsError> {
  const found = await describeApplication(operator);
  return new TenantAnalyticsError(
    'APPLICATION_BUSY',
    `${found.name} ${what}: it is still ${found.status} after ${ageText(operator.limitMs)}. That goes on in AWS: look with tenant-analytics app describe and app logs, wait longer (--timeout), or end it with tenant-analytics app stop --force.`,
  );
}

/** Why an operation failed, as far as AWS says: its own words, else the last errors of the log. */
export async function whyOf(operator: Operator, operationID: string | undefined, since: number): Promise<string> {
  const said = operationID === undefined ? undefined : await operationError(operator, operationID);
  if (said !== undefined) return said;
  const errors = await lastErrors(operator, since).catch(() => []);
  return errors.length > 0
    ? `The log says: ${errors.join('; ')}`
    : 'AWS says no reason, and the log has no error: look at tenant-analytics app logs --since 1h.';
}

async function operationError(operator: Operator, OperationId: string): Promise<string | undefined> {
  const { aws, application: ApplicationName } = operator;
  // Servers of one's own seldom know this call, and roles seldom allow it: then the log has to do.
  const answer = await call(operator, `DescribeApplicationOperation of ${ApplicationName}`, () =>
    aws.analytics.send(new DescribeApplicationOperationCommand({ ApplicationName, OperationId })),
  ).catch(() => undefined);
  return answer?.ApplicationOperationInfoDetails?.OperationFailureDetails?.ErrorInfo?.ErrorString;
}

/** `1 min 30 s`. */
export function ageText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60
    ? `${seconds} s`
    : `${Math.floor(seconds / 60)} min${seconds % 60 === 0 ? '' : ` ${seconds % 60} s`}`;
}
