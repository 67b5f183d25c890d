import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, systemCode, TenantAnalyticsError } from '../../../base/errors.ts';

/** One call of the AWS CLI: `kinesis put-record …` in, what it prints out. */
export type Aws = (...words: readonly string[]) => Promise<string>;

const CALL_MS = 60_000;
const runFile = promisify(execFile);

/**
 * The AWS CLI of this machine, with its credentials.
 * @throws TenantAnalyticsError SERVICE_FAILED when it is not there or too old; a call throws it with what the CLI says
 */
export async function awsCli(region: string): Promise<Aws> {
  const version = await call(['--version']);
  if (!version.startsWith('aws-cli/2')) {
    throw new TenantAnalyticsError('SERVICE_FAILED', `Expected the AWS CLI, version 2, got ${version.split(' ')[0]}.`);
  }
  return (...words) => call([...words, '--region', region, '--output', 'json']);
}

async function call(words: readonly string[]): Promise<string> {
  try {
    return (await runFile('aws', words, { timeout: CALL_MS, maxBuffer: 64 * 1024 * 1024 })).stdout;
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
}
