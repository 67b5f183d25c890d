import { DeleteApplicationCommand } from '@aws-sdk/client-kinesis-analytics-v2';
import { accountOf } from './account.ts';
import { findApplication } from './application.ts';
import { callOrNone, isRefusal, type Operator } from './aws-call.ts';
import { removeLog } from './log-group.ts';
import { NAMES } from './names.ts';
import { removeRole } from './role.ts';
import { pauseBeforeTry, settled, tooLong, waitUntilGone } from './waiting.ts';

export interface DeleteSetting {
  /** Also CompanyAnalyticsRole with its policy. A role of another name is never touched. */
  readonly withRole: boolean;
  readonly withLogs: boolean;
}

const MOST_TRIES = 5;

/** Deletes it with its snapshots, and waits until it is gone. Tells what was done. */
export async function deleteApplication(operator: Operator, { withRole, withLogs }: DeleteSetting): Promise<void> {
  operator.did(await deleteIt(operator));
  if (withRole) operator.did(await removeRole(operator, await accountOf(operator), NAMES.role));
  if (withLogs) operator.did(await removeLog(operator));
}

async function deleteIt(operator: Operator): Promise<string> {
  const { application: ApplicationName, aws } = operator;
  for (let tries = 1; ; tries++) {
    const found = await findApplication(operator);
    if (found === undefined) {
      return tries === 1 ? `There is no application ${ApplicationName}.` : `Deleted ${ApplicationName}.`;
    }
    if (found.status !== 'DELETING') {
      try {
        const request = new DeleteApplicationCommand({ ApplicationName, CreateTimestamp: found.createdAt });
        await callOrNone(operator, `DeleteApplication ${ApplicationName}`, () => aws.analytics.send(request));
      } catch (error) {
        // It is at work on something: that comes first.
        if (!isRefusal(error, 'ResourceInUseException') || tries >= MOST_TRIES) throw error;
        await pauseBeforeTry(operator, tries);
        await settled(operator);
        continue;
      }
    }
    if (!(await waitUntilGone(operator))) throw await tooLong(operator, 'is not gone');
    return `Deleted ${ApplicationName} and its snapshots.`;
  }
}
