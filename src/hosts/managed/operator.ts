import { sleep } from '../../base/sleep.ts';
import type { Operator } from './aws-call.ts';
import { awsClients } from './aws-clients.ts';

export interface OperatorSetting {
  readonly application: string;
  readonly region: string;
  /** Of a server of one's own; '' for AWS. */
  readonly endpoint: string;
  readonly limitMs: number;
  readonly signal: AbortSignal;
  say(line: string): void;
  did(line: string): void;
}

/** On this machine, with the credentials of the SDK's default chain. */
export function awsOperator({ region, endpoint, ...more }: OperatorSetting): Operator {
  const aws = awsClients(region, endpoint);
  return { aws, clock: { now: Date.now }, sleep, random: Math.random, ...more };
}
