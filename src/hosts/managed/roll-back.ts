import { RollbackApplicationCommand, UpdateApplicationCommand } from '@aws-sdk/client-kinesis-analytics-v2';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import { describeApplication, type ManagedApplication } from './application.ts';
import { AwsRefusal, call, type Operator } from './aws-call.ts';
import type { PlannedChange } from './planned-change.ts';
import { configurationUpdate } from './requests.ts';
import { startApplication } from './start.ts';
import { stopApplication } from './stop.ts';
import { settled, waitUntil } from './waiting.ts';

interface WayBack {
  /** It runs again as it did before. */
  readonly isBack: boolean;
  readonly told: string;
}

/**
 * From a version that does not run to the one before. The service's own way, RollbackApplication, needs a snapshot and an
 * application that is at work; one that it has given up (READY) is changed back and started from its latest snapshot.
 * Never throws but for Ctrl-C: what failed is in what it tells.
 * @param after as it came to rest; undefined when it has not
 */
export async function goBack(
  operator: Operator,
  before: ManagedApplication,
  after: ManagedApplication | undefined,
  planned: PlannedChange,
): Promise<WayBack> {
  const { name } = before;
  try {
    if (after?.status === 'RUNNING' || after?.status === 'ROLLED_BACK') {
      return {
        isBack: true,
        told: `The service has gone back itself: ${name} is ${after.status}, version ${after.version}.`,
      };
    }
    operator.say(`Going back to what ran as version ${before.version} …`);
    if (after === undefined && (await rolledBack(operator))) return backAgain(operator, before);
    if (after === undefined) await stopApplication(operator, true);
    await changeBack(operator, planned);
    await startApplication(operator, { restore: { kind: 'latest' }, allowNonRestoredState: false });
    return await backAgain(operator, before);
  } catch (error) {
    if (error instanceof TenantAnalyticsError && error.code === 'STOPPED') throw error;
    return {
      isBack: false,
      told: `The way back failed, too: ${messageOf(error)} Look with tenant-analytics app describe; its snapshots are there: tenant-analytics app snapshot list.`,
    };
  }
}

async function backAgain(operator: Operator, before: ManagedApplication): Promise<WayBack> {
  const { name, version, status } = await describeApplication(operator);
  const told = `Rolled back: ${name} is ${status} as version ${version}, with the configuration of version ${before.version}.`;
  return { isBack: status === 'RUNNING', told };
}

/** False when the service refuses it, or does not come to run by it. */
async function rolledBack(operator: Operator): Promise<boolean> {
  const { name, version } = await describeApplication(operator);
  try {
    const request = new RollbackApplicationCommand({ ApplicationName: name, CurrentApplicationVersionId: version });
    await call(operator, `RollbackApplication of ${name}`, () => operator.aws.analytics.send(request));
  } catch (error) {
    if (!(error instanceof AwsRefusal)) throw error;
    operator.say(`${error.message} Stopping it, and changing it back.`);
    return false;
  }
  const end = await waitUntil(operator, ({ status }) => ['RUNNING', 'READY', 'ROLLED_BACK'].includes(status));
  return end?.status === 'RUNNING' || end?.status === 'ROLLED_BACK';
}

async function changeBack(operator: Operator, { inverse }: PlannedChange): Promise<void> {
  const { name, version, arn } = await settled(operator);
  const partition = arn.split(':')[1] || 'aws';
  const request = new UpdateApplicationCommand({
    ApplicationName: name,
    CurrentApplicationVersionId: version,
    ApplicationConfigurationUpdate: configurationUpdate(inverse, partition),
  });
  await call(operator, `UpdateApplication of ${name}`, () => operator.aws.analytics.send(request));
}
