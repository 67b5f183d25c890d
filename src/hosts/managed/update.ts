import { UpdateApplicationCommand } from '@aws-sdk/client-kinesis-analytics-v2';
import { TenantAnalyticsError } from '../../base/errors.ts';
import type { ManagedApplication } from './application.ts';
import { call, isRefusal, type Operator } from './aws-call.ts';
import { requireCode } from './code.ts';
import { type PlannedChange, planChange, type UpdateSetting } from './planned-change.ts';
import { configurationUpdate, runConfigurationUpdate } from './requests.ts';
import { goBack } from './roll-back.ts';
import { widenPolicy } from './update-policy.ts';
import { isBusy, pauseBeforeTry, settled, waitUntil, whyOf } from './waiting.ts';

const MOST_TRIES = 5;

/**
 * Changes it, and waits until the new version runs; one that does not is taken back. Properties that others change at the same
 * time are kept: each try reads what is there anew. Tells what was done.
 * @throws TenantAnalyticsError APPLICATION_FAILED when the new version does not run: says why, and what runs now;
 *   STATE_MISMATCH when it runs and state depends on what is to be changed
 */
export async function updateApplication(operator: Operator, setting: UpdateSetting): Promise<void> {
  if (setting.code !== undefined) await requireCode(operator, setting.code);
  const sent = await sendUpdate(operator, setting);
  if ('isSoAlready' in sent) return operator.did(`${operator.application} is so already, version ${sent.isSoAlready}.`);
  for (const line of sent.planned.told) operator.did(`${operator.application}: ${line}`);
  try {
    await untilItRuns(operator, setting, sent);
  } catch (error) {
    if (!isJudged(error)) sent.policy?.tellWide();
    throw error;
  }
}

async function untilItRuns(operator: Operator, setting: UpdateSetting, sent: Sent): Promise<void> {
  const { before, planned, version, policy } = sent;
  if (before.status !== 'RUNNING') {
    await policy?.narrow();
    operator.did(`${operator.application} is version ${version} now; it does not run (${before.status}).`);
    if (planned.ofState.length > 0) {
      operator.did('Its snapshots belong to the parameters of before: tenant-analytics app start --skip-restore.');
    }
    return;
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

function isJudged(error: unknown): boolean {
  return error instanceof TenantAnalyticsError && error.code === 'APPLICATION_FAILED';
}

interface Sent {
  readonly before: ManagedApplication;
  readonly planned: PlannedChange;
  readonly version: number;
  readonly operationID: string | undefined;
  readonly at: number;
  readonly policy: Awaited<ReturnType<typeof widenPolicy>>;
}

/**
 * Sends it. A call whose answer was lost, and that then finds its version to be stale, was carried out: what it asked for is there
 * when it is read anew, and is judged as if it had been answered.
 */
async function sendUpdate(
  operator: Operator,
  setting: UpdateSetting,
): Promise<Sent | { readonly isSoAlready: number }> {
  const { aws, clock, say } = operator;
  let tried: Sent | undefined;
  for (let tries = 1; ; tries++) {
    const before = await settled(operator);
    const planned = planChange(before, setting);
    if (planned === undefined) {
      return tried === undefined ? { isSoAlready: before.version } : { ...tried, version: before.version };
    }
    await tried?.policy?.takeBack();
    refuseOtherState(before, planned);
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
        // Without an answer it may have been carried out: it must not lose its rights then.
        if (isUnanswered(error)) policy?.tellWide();
        else await policy?.takeBack();
        throw error;
      }
      tried = { before, planned, version: before.version + 1, operationID: undefined, at, policy };
      say(`${before.name} is not version ${before.version} any more, or is at work. Reading it anew …`);
      await pauseBeforeTry(operator, tries);
    }
  }
}

function isUnanswered(error: unknown): boolean {
  return error instanceof TenantAnalyticsError && (error.code === 'AWS_UNREACHABLE' || error.code === 'STOPPED');
}

/** An update of what runs goes on from its state, and the service does not look whose state that is. */
function refuseOtherState({ name, status }: ManagedApplication, { ofState }: PlannedChange): void {
  if (status !== 'RUNNING' || ofState.length === 0) return;
  throw new TenantAnalyticsError(
    'STATE_MISMATCH',
    `${name} runs, and its state belongs to what it runs with: ${ofState.join('; ')}. To begin anew with that, counting from nothing: tenant-analytics app stop, the same update, and tenant-analytics app start --skip-restore.`,
  );
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
