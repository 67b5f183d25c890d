import {
  CreateApplicationSnapshotCommand,
  DeleteApplicationSnapshotCommand,
  DescribeApplicationSnapshotCommand,
  ListApplicationSnapshotsCommand,
  type SnapshotDetails,
} from '@aws-sdk/client-kinesis-analytics-v2';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { describeApplication } from './application.ts';
import { call, callOrNone, isRefusal, type Operator } from './aws-call.ts';
import { ageText, pause } from './waiting.ts';

export interface Snapshot {
  readonly name: string;
  readonly status: string;
  /** Of the application when it was taken. */
  readonly version: number;
  readonly createdAt: Date | undefined;
}

function snapshotOf(details: SnapshotDetails): Snapshot {
  return {
    name: details.SnapshotName ?? '',
    status: details.SnapshotStatus ?? '',
    version: details.ApplicationVersionId ?? 0,
    createdAt: details.SnapshotCreationTimestamp,
  };
}

/** All of them, the oldest first. */
export async function listSnapshots(operator: Operator): Promise<Snapshot[]> {
  const { name: ApplicationName } = await describeApplication(operator);
  const snapshots: Snapshot[] = [];
  let NextToken: string | undefined;
  do {
    const request = new ListApplicationSnapshotsCommand({
      ApplicationName,
      Limit: 50,
      ...(NextToken === undefined ? {} : { NextToken }),
    });
    const answer = await call(operator, `ListApplicationSnapshots of ${ApplicationName}`, () =>
      operator.aws.analytics.send(request),
    );
    snapshots.push(...(answer.SnapshotSummaries ?? []).map(snapshotOf));
    NextToken = answer.NextToken;
  } while (NextToken !== undefined);
  return snapshots.sort((a, b) => (a.createdAt?.getTime() ?? 0) - (b.createdAt?.getTime() ?? 0));
}

async function findSnapshot(operator: Operator, name: string): Promise<Snapshot | undefined> {
  const { application: ApplicationName, aws } = operator;
  const answer = await callOrNone(operator, `DescribeApplicationSnapshot ${name}`, () =>
    aws.analytics.send(new DescribeApplicationSnapshotCommand({ ApplicationName, SnapshotName: name })),
  );
  return answer?.SnapshotDetails === undefined ? undefined : snapshotOf(answer.SnapshotDetails);
}

/** @throws TenantAnalyticsError USAGE naming those that are there */
export async function readySnapshot(operator: Operator, name: string): Promise<void> {
  await describeApplication(operator);
  const found = await findSnapshot(operator, name);
  if (found?.status === 'READY') return;
  const ready = (await listSnapshots(operator)).filter(({ status }) => status === 'READY').map((each) => each.name);
  throw new TenantAnalyticsError(
    'USAGE',
    `Expected a snapshot ${name} that is READY, got ${found?.status ?? 'none of that name'}. Ready are: ${ready.join(', ') || 'none'}.`,
  );
}

/** Takes one, and waits until it is READY. Answers what was done. */
export async function createSnapshot(operator: Operator, asked: string | undefined): Promise<string> {
  const { application: ApplicationName, aws, clock } = operator;
  const name =
    asked ??
    `manual-${new Date(clock.now())
      .toISOString()
      .replaceAll(/[-:]|\.\d+Z/g, '')
      .replace('T', '-')}`;
  const { status } = await describeApplication(operator);
  let wasThere = (await findSnapshot(operator, name)) !== undefined;
  if (!wasThere) {
    if (status !== 'RUNNING') {
      throw new TenantAnalyticsError(
        'APPLICATION_BUSY',
        `${ApplicationName} is ${status}: a snapshot is taken of an application that is RUNNING. Start it: tenant-analytics app start.`,
      );
    }
    try {
      const request = new CreateApplicationSnapshotCommand({ ApplicationName, SnapshotName: name });
      await call(operator, `CreateApplicationSnapshot ${name}`, () => aws.analytics.send(request));
    } catch (error) {
      // An answer that was lost leaves it there; an application that is at work on another thing does not.
      if (!isRefusal(error, 'ResourceInUseException') || (await findSnapshot(operator, name)) === undefined)
        throw error;
      wasThere = false;
    }
  }
  const end = await untilTaken(operator, name);
  if (end.status !== 'READY') {
    throw new TenantAnalyticsError(
      'APPLICATION_FAILED',
      `The snapshot ${name} is ${end.status}. Look at tenant-analytics app logs; ${ApplicationName} itself goes on.`,
    );
  }
  return wasThere ? `Snapshot ${name} is there already.` : `Took the snapshot ${name}, of version ${end.version}.`;
}

async function untilTaken(operator: Operator, name: string): Promise<Snapshot> {
  const begun = operator.clock.now();
  for (let looks = 0; ; looks++) {
    const found = await findSnapshot(operator, name);
    if (found !== undefined && found.status !== 'CREATING') return found;
    const waited = operator.clock.now() - begun;
    if (looks % 6 === 0) operator.say(`Snapshot ${name}: ${found?.status ?? 'CREATING'} (${ageText(waited)})`);
    if (waited >= operator.limitMs) {
      throw new TenantAnalyticsError(
        'APPLICATION_BUSY',
        `The snapshot ${name} is still not READY after ${ageText(waited)}. That goes on in AWS: look with tenant-analytics app snapshot list.`,
      );
    }
    await pause(operator, `The snapshot ${name} goes on in AWS without this command.`);
  }
}

/** Answers what was done, a line for each name. */
export async function deleteSnapshots(operator: Operator, names: readonly string[]): Promise<string[]> {
  const { application: ApplicationName, aws } = operator;
  await describeApplication(operator);
  const told: string[] = [];
  for (const name of names) {
    const found = await findSnapshot(operator, name);
    if (found === undefined || found.status === 'DELETING') {
      told.push(`There is no snapshot ${name}.`);
      continue;
    }
    const request = new DeleteApplicationSnapshotCommand({
      ApplicationName,
      SnapshotName: name,
      SnapshotCreationTimestamp: found.createdAt,
    });
    await callOrNone(operator, `DeleteApplicationSnapshot ${name}`, () => aws.analytics.send(request));
    told.push(`Deleted the snapshot ${name}.`);
  }
  return told;
}
