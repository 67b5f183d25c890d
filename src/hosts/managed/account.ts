import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { call, type Operator } from './aws-call.ts';
import type { Account } from './names.ts';

/** The account that the credentials belong to. */
export async function accountOf(operator: Operator): Promise<Account> {
  const { sts, region } = operator.aws;
  const answer = await call(operator, 'GetCallerIdentity', () => sts.send(new GetCallerIdentityCommand({})));
  const [, partition = 'aws'] = /^arn:([^:]+):/.exec(answer.Arn ?? '') ?? [];
  return { partition, id: answer.Account ?? '', region };
}
