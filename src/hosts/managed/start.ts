import { StartApplicationCommand } from '@aws-sdk/client-kinesis-analytics-v2';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { call, isRefusal, type Operator } from './aws-call.ts';
import { type Restore, runConfiguration } from './requests.ts';
import { readySnapshot } from './snapshots.ts';
import { isBusy, pauseBeforeTry, settled, tooLong, waitUntil, whyOf } from './waiting.ts';

const MOST_TRIES = 5;

export interface StartSetting {
  readonly restore: Restore;
  readonly allowNonRestoredState: boolean;
}

/**
 * Starts it, and waits until it runs. Answers what was done.
 * @throws TenantAnalyticsError APPLICATION_FAILED with the reason when it does not come to run
 */
export async function startApplication(operator: Operator, setting: StartSetting): Promise<string> {
  const { restore, allowNonRestoredState } = setting;
  if (restore.kind === 'snapshot') await readySnapshot(operator, restore.name);
  for (let tries = 1; ; tries++) {
    const { status, name, version } = await settled(operator);
    if (status === 'RUNNING') {
      refuseOtherState(setting, name);
      return `${name} runs already, version ${version}.`;
    }
    const begun = operator.clock.now();
    try {
      const request = new StartApplicationCommand({
        ApplicationName: name,
        RunConfiguration: runConfiguration(restore, allowNonRestoredState),
      });
      const { OperationId } = await call(operator, `StartApplication of ${name}`, () =>
        operator.aws.analytics.send(request),
      );
      return await untilRunning(operator, begun, OperationId, restoredText(restore));
    } catch (error) {
      // An answer that was lost, or someone who was faster: what is there now says what is left to do.
      if (!isRefusal(error, 'ResourceInUseException') || tries >= MOST_TRIES) throw error;
      await pauseBeforeTry(operator, tries);
    }
  }
}

/** A start that is asked to begin somewhere must not pass over an application that runs on from elsewhere. */
function refuseOtherState({ restore, allowNonRestoredState }: StartSetting, name: string): void {
  if (restore.kind === 'latest' && !allowNonRestoredState) return;
  throw new TenantAnalyticsError(
    'APPLICATION_BUSY',
    `${name} runs already, from the state it has. To start it from another, stop it first: tenant-analytics app stop.`,
  );
}

async function untilRunning(
  operator: Operator,
  begun: number,
  operationID: string | undefined,
  restored: string,
): Promise<string> {
  // Right after the call it may still be READY for a moment: a start that is over is told by READY after STARTING.
  let wasBusy = false;
  let looks = 0;
  const found = await waitUntil(operator, (application) => {
    looks++;
    if (isBusy(application)) wasBusy = true;
    return application.status === 'RUNNING' || (!isBusy(application) && (wasBusy || looks > 3));
  });
  if (found === undefined) throw await tooLong(operator, 'does not come to run');
  if (found.status === 'RUNNING') return `Started ${found.name}, version ${found.version}, ${restored}.`;
  throw new TenantAnalyticsError(
    'APPLICATION_FAILED',
    `${found.name} did not start: it is ${found.status} again. ${await whyOf(operator, operationID, begun)}`,
  );
}

function restoredText(restore: Restore): string {
  if (restore.kind === 'snapshot') return `from the snapshot ${restore.name}`;
  return restore.kind === 'latest' ? 'from its latest snapshot, if there is one' : 'without state';
}
