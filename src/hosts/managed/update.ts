import { UpdateApplicationCommand } from '@aws-sdk/client-kinesis-analytics-v2';
import { backoffMs } from '../../base/backoff.ts';
import { TenantAnalyticsError } from '../../base/errors.ts';
import type { ManagedApplication } from './application.ts';
import { CALLS, call, isRefusal, type Operator } from './aws-call.ts';
import { requireCode } from './code.ts';
import { type PlannedChange, planChange, type UpdateSetting } from './planned-change.ts';
import { configurationUpdate, runConfigurationUpdate } from './requests.ts';
import { goBack } from './roll-back.ts';
import { widenPolicy } from './update-policy.ts';
import { isBusy, pause, settled, waitUntil, whyOf } from './waiting.ts';

const MOST_TRIES = 5;

/**
 * Changes it, and waits until the new version runs; one that does not is taken back. Properties that others change at the same
 * time are kept: each try reads what is there anew. Tells what was done.
 * @throws TenantAnalyticsError APPLICATION_FAILED when the new version does not run: says why, and what runs now
 */
export async function updateApplication(operator: Operator, setting: UpdateSetting): Promise<void> {
  if (setting.code !== undefined) await requireCode(operator, setting.code);
  const sent = await sendUpdate(operator, setting);
  if ('isSoAlready' in sent) return operator.did(`${operator.application} is so already, version ${sent.isSoAlready}.`);
  const { before, planned, version, policy } = sent;
  for (const line of planned.told) operator.did(`${operator.application}: ${line}`);
  if (before.status !== 'RUNNING') {
    await policy?.narrow();
    return operator.did(`${operator.application} is version ${version} now; it does not run (${before.status}).`);
  }
  const after = await untilNewVersion(operator, version);
  if (after?.status === 'RUNNING' && planChange(after, setting) === undefined) {
    await policy?.narrow();
    return operator.did(`${after.name} runs as version ${after.version}.`);
  }
  const why = await whyOf(operator, sent.operationID, sent.at);
  const how = after === undefined ? 'did not come to run in time' : `did not come to run: it is ${after.status}`;
  const end = await goBack(operator, before, after, planned);
  if (end.isBack) await policy?.takeBack();
  throw new TenantAnalyticsError(
    'APPLICATION_FAILED',
    `${operator.application}: version ${version} ${how}. ${why} ${end.told}`,
  );
}

interface Sent {
  readonly before: ManagedApplication;
  readonly planned: PlannedChange;
  readonly version: number;
  readonly operationID: string | undefined;
  readonly at: number;
  readonly policy: Awaited<ReturnType<typeof widenPolicy>>;
}

async function sendUpdate(
  operator: Operator,
  setting: UpdateSetting,
): Promise<Sent | { readonly isSoAlready: number }> {
  const { aws, clock, random, say } = operator;
  for (let tries = 1; ; tries++) {
    const before = await settled(operator);
    const planned = planChange(before, setting);
    if (planned === undefined) return { isSoAlready: before.version };
    const policy = await widenPolicy(operator, before, planned);
    const at = clock.now();
    try {
      const request = new UpdateApplicationCommand({
        ApplicationName: before.name,
        CurrentApplicationVersionId: before.version,
        ApplicationConfigurationUpdate: configurationUpdate(planned.change, partitionOf(before)),
        ...(setting.allowNonRestoredState ? { RunConfigurationUpdate: runConfigurationUpdate(true) } : {}),
      });
      const { ApplicationDetail, OperationId } = await call(operator, `UpdateApplication of ${before.name}`, () =>
        aws.analytics.send(request),
      );
      const version = ApplicationDetail?.ApplicationVersionId ?? before.version + 1;
      return { before, planned, version, operationID: OperationId, at, policy };
    } catch (error) {
      const isRace = isRefusal(error, 'ConcurrentModificationException', 'ResourceInUseException');
      if (!isRace || tries >= MOST_TRIES) {
        await policy?.takeBack();
        throw error;
      }
      await policy?.takeBack();
      say(`${before.name} is not version ${before.version} any more: someone else changes it, too. Reading it anew …`);
      await pause(operator, 'Nothing was changed.', backoffMs(random, tries, CALLS.firstMs, CALLS.longestMs));
    }
  }
}

/** Until the service has come to rest with it; undefined: it has not in time. */
function untilNewVersion(operator: Operator, version: number): Promise<ManagedApplication | undefined> {
  let wasBusy = false;
  let looks = 0;
  return waitUntil(operator, (application) => {
    looks++;
    if (application.status === 'ROLLED_BACK') return true;
    if (isBusy(application)) {
      wasBusy = true;
      return false;
    }
    // Right after the call it may still be RUNNING as the version before, for a moment.
    return application.version >= version || wasBusy || looks > 3;
  });
}

export function partitionOf({ arn }: ManagedApplication): string {
  return arn.split(':')[1] || 'aws';
}
