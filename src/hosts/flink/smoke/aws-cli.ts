import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, systemCode, TenantAnalyticsError } from '../../../base/errors.ts';

/** One call of the AWS CLI: `kinesis put-record …` in, what it prints out. */
export type Aws = (...words: readonly string[]) => Promise<string>;

const CALL_MS = 60_000;
const runFile = promisify(execFile);

/**
 * The AWS CLI of this machine, with its credentials.
 * @throws TenantAnalyticsError SERVICE_FAILED with what it says
 */
export function awsCli(region: string): Aws {
  return async (...words) => {
    try {
      const { stdout } = await runFile('aws', [...words, '--region', region, '--output', 'json'], {
        timeout: CALL_MS,
        maxBuffer: 64 * 1024 * 1024,
      });
      return stdout;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') {
        throw new TenantAnalyticsError('SERVICE_FAILED', 'The AWS CLI (aws) is not there. Install it, version 2.', {
          cause: error,
        });
      }
      const { stderr = '' } = error as { stderr?: string };
      const why = stderr.trim().split('\n').at(-1) || messageOf(error);
      throw new TenantAnalyticsError('SERVICE_FAILED', `aws ${words.slice(0, 2).join(' ')}: ${why}`, { cause: error });
    }
  };
}
