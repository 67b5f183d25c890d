import { StopApplicationCommand } from '@aws-sdk/client-kinesis-analytics-v2';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { describeApplication } from './application.ts';
import { call, isRefusal, type Operator } from './aws-call.ts';
import { listSnapshots } from './snapshots.ts';
import { isBusy, pauseBeforeTry, settled, tooLong, waitUntil, whyOf } from './waiting.ts';

const MOST_TRIES = 5;

/**
 * Stops it with a snapshot, and waits until it has stopped; with `force` at once, whatever it is doing, and without one.
 * Answers what was done.
 */
export async function stopApplication(operator: Operator, force: boolean): Promise<string> {
  const { aws, clock } = operator;
  for (let tries = 1; ; tries++) {
    const { status, name } = force ? await describeApplication(operator) : await settled(operator);
    if (status === 'READY') return `${name} is stopped already.`;
    const begun = clock.now();
    try {
      const request = new StopApplicationCommand({ ApplicationName: name, Force: force });
      const { OperationId } = await call(operator, `StopApplication of ${name}`, () => aws.analytics.send(request));
      return await untilStopped(operator, force, begun, OperationId);
    } catch (error) {
      if (!isRefusal(error, 'ResourceInUseException') || tries >= MOST_TRIES) throw error;
      await pauseBeforeTry(operator, tries);
      if (force) await settled(operator);
    }
  }
}

async function untilStopped(
  operator: Operator,
  force: boolean,
  begun: number,
  operationID: string | undefined,
): Promise<string> {
  let wasBusy = false;
  let looks = 0;
  const found = await waitUntil(operator, (application) => {
    looks++;
    if (isBusy(application)) wasBusy = true;
    return application.status === 'READY' || (!isBusy(application) && (wasBusy || looks > 3));
  });
  if (found === undefined) throw await tooLong(operator, 'does not stop');
  const { name, status, snapshots } = found;
  if (status !== 'READY') {
    throw new TenantAnalyticsError(
      'APPLICATION_FAILED',
      `${name} did not stop: it is ${status} again, mostly because its snapshot failed. ${await whyOf(operator, operationID, begun)} tenant-analytics app stop --force stops it without a snapshot.`,
    );
  }
  if (force) return `Stopped ${name} by force, without a snapshot: the next start goes on from the one before.`;
  if (!snapshots) return `Stopped ${name}; its snapshots are off, so the next start begins without state.`;
  const newest = (await listSnapshots(operator)).findLast((snapshot) => snapshot.status === 'READY');
  return newest === undefined
    ? `Stopped ${name}. It has no snapshot that is READY: look with tenant-analytics app snapshot list.`
    : `Stopped ${name}. Its latest snapshot is ${newest.name}.`;
}
