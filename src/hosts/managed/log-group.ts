import {
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { call, callOrNone, isRefusal, type Operator } from './aws-call.ts';
import { logGroupOf } from './names.ts';

/** Makes log group and stream unless they are there; a group of ours keeps its lines for some days. Answers what was done. */
export async function ensureLog(operator: Operator, stream: string, retentionDays: number): Promise<string> {
  const { logs } = operator.aws;
  const group = logGroupOf(operator.application);
  const hasMadeGroup = await made(operator, `CreateLogGroup ${group}`, () =>
    logs.send(new CreateLogGroupCommand({ logGroupName: group })),
  );
  if (hasMadeGroup) {
    await call(operator, `PutRetentionPolicy of ${group}`, () =>
      logs.send(new PutRetentionPolicyCommand({ logGroupName: group, retentionInDays: retentionDays })),
    );
  }
  const hasMadeStream = await made(operator, `CreateLogStream ${stream}`, () =>
    logs.send(new CreateLogStreamCommand({ logGroupName: group, logStreamName: stream })),
  );
  if (hasMadeGroup) return `Made the log group ${group} (kept for ${retentionDays} days) and its stream ${stream}.`;
  return hasMadeStream ? `Made the log stream ${stream} in ${group}.` : `Log ${group}, ${stream} is there already.`;
}

async function made(operator: Operator, operation: string, send: () => Promise<unknown>): Promise<boolean> {
  try {
    await call(operator, operation, send);
    return true;
  } catch (error) {
    if (isRefusal(error, 'ResourceAlreadyExistsException')) return false;
    throw error;
  }
}

export async function removeLog(operator: Operator): Promise<string> {
  const group = logGroupOf(operator.application);
  const gone = await callOrNone(operator, `DeleteLogGroup ${group}`, () =>
    operator.aws.logs.send(new DeleteLogGroupCommand({ logGroupName: group })),
  );
  return gone === undefined ? `There is no log group ${group}.` : `Deleted the log group ${group}.`;
}
