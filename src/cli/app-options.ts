import { type Command, Option } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import type { Operator } from '../hosts/managed/aws-call.ts';
import type { Package } from '../hosts/managed/code.ts';
import { NAMES } from '../hosts/managed/names.ts';
import { type CodePlace, LOG_LEVELS, METRICS_LEVELS } from '../hosts/managed/requests.ts';
import { type ParameterOptions, wholeOf, withParameters } from './options.ts';
import { warn } from './output.ts';
import { untilStopped } from './signals.ts';

/* What the commands of `app` share. What they call is loaded only when one of them runs: the SDK takes a while. */

export interface AppOptions {
  readonly application: string;
  readonly region: string;
  readonly endpoint: string;
  readonly timeout: string;
}

const MOST_MINUTES = 24 * 60;
const MOST_PARALLELISM = 512;

export function withApp(command: Command): Command {
  return command
    .option('--application <name>', 'name of the application', NAMES.application)
    .option('--region <region>', 'its region', NAMES.region)
    .option('--endpoint <url>', 'of a server of your own in place of AWS', '')
    .option('--timeout <minutes>', 'how long a change is waited for', '15');
}

/** Runs it until it is done, or to the next place where it can stop after Ctrl-C. */
export async function operating<T>(options: AppOptions, work: (operator: Operator) => Promise<T>): Promise<T> {
  const { application, region, endpoint, timeout } = options;
  if (!/^[\w.-]{1,128}$/.test(application)) {
    throw new TenantAnalyticsError(
      'USAGE',
      `--application: expected 1 to 128 letters, digits, and any of _.-, got ${JSON.stringify(application)}.`,
    );
  }
  const limitMs = wholeOf(timeout, '--timeout', MOST_MINUTES) * 60_000;
  const { awsOperator } = await import('../hosts/managed/operator.ts');
  return untilStopped((signal) => {
    const did = (line: string) => void process.stdout.write(`${line}\n`);
    return work(awsOperator({ application, region, endpoint, limitMs, signal, say: warn, did }));
  });
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export interface CodeOptions {
  readonly code?: string;
  readonly bucket?: string;
  readonly folder: string;
  readonly jar?: string;
}

export function withJar(command: Command): Command {
  return command.option('--jar <file>', "another jar or zip than the application's, which is built when needed");
}

export function withCode(command: Command): Command {
  return withJar(command)
    .option('--code <uri>', 'code that is there: s3://bucket/churn/name.jar')
    .option('--bucket <name>', 'in place of --code: where the code is put, unless it is there')
    .option('--folder <name>', 'of the code in its bucket', NAMES.codeFolder);
}

/** The jar that was named, or the application's own, built when needed. */
export async function packageOf(jar: string | undefined): Promise<Package> {
  const { packageAt } = await import('../hosts/managed/code.ts');
  if (jar !== undefined) return packageAt(jar);
  const { applicationJar } = await import('../hosts/flink/control/jar.ts');
  return packageAt(await applicationJar(warn));
}

/** Where a package lies in a bucket; the folder is `churn`, or `churn/test`, without slashes around it. */
export async function placeOf(code: Package, bucket: string, folder: string, name?: string): Promise<CodePlace> {
  const { objectName } = await import('../hosts/managed/code.ts');
  const inFolder = folder.replaceAll(/^\/+|\/+$/g, '');
  return { bucket, key: `${inFolder === '' ? '' : `${inFolder}/`}${name ?? objectName(code)}` };
}

/** The code that `--code` names, or that lies, or is put, below `--bucket`. */
export async function codeOf(options: CodeOptions, operator: Operator): Promise<CodePlace> {
  const { codePlaceOf } = await import('../hosts/managed/code.ts');
  if (options.code !== undefined && options.bucket === undefined) return codePlaceOf(options.code, '--code');
  if (options.bucket === undefined || options.code !== undefined) throw oneOfCodeAndBucket();
  const code = await packageOf(options.jar);
  const place = await placeOf(code, options.bucket, options.folder);
  await putCode(operator, code, place);
  return place;
}

export function oneOfCodeAndBucket(): TenantAnalyticsError {
  return new TenantAnalyticsError(
    'USAGE',
    'Expected --code s3://bucket/churn/name.jar for code that is there, or --bucket NAME to put it there, and not both.',
  );
}

/** Tells whether it was sent. */
export async function putCode(operator: Operator, code: Package, place: CodePlace): Promise<void> {
  const { uploadCode } = await import('../hosts/managed/code.ts');
  const { uriOf } = await import('../hosts/managed/requests.ts');
  const wasSent = await uploadCode(operator, code, place);
  operator.did(wasSent ? `Uploaded ${uriOf(place)}.` : `${uriOf(place)} is there already, with the same checksum.`);
}

export interface WantedOptions extends ParameterOptions {
  readonly role?: string;
  readonly secretKey: string[];
  readonly logStream: string;
  readonly parallelism: string;
  readonly parallelismPerKpu: string;
  readonly autoscaling: boolean;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly metricsLevel: (typeof METRICS_LEVELS)[number];
}

/** How an application is to be: for making it, and for the request files. */
export function withWanted(command: Command): Command {
  return withParameters(command)
    .option('--role <arn>', `a role that is there, in place of ${NAMES.role}`)
    .option(
      '--secret-key <arn>',
      'KMS key of your own that the secrets are encrypted with; again for more',
      (value, all: string[]) => [...all, value],
      [],
    )
    .option('--log-stream <name>', 'of its log', NAMES.logStream)
    .option('--parallelism <n>', 'parts that work side by side', '1')
    .option('--parallelism-per-kpu <n>', 'of them on one KPU', '1')
    .option('--no-autoscaling', 'never more than that')
    .addOption(new Option('--log-level <level>', 'of its log').choices(LOG_LEVELS).default('INFO'))
    .addOption(
      new Option('--metrics-level <level>', 'how finely its metrics are told')
        .choices(METRICS_LEVELS)
        .default('APPLICATION'),
    );
}

export function wantedOf(options: WantedOptions) {
  const { role, secretKey, logStream, autoscaling, logLevel, metricsLevel } = options;
  if (role !== undefined && !/^arn:[a-z-]+:iam::\d{12}:role\/\S+$/.test(role)) {
    throw new TenantAnalyticsError(
      'USAGE',
      `--role: expected arn:aws:iam::ACCOUNT:role/NAME, got ${JSON.stringify(role)}.`,
    );
  }
  return {
    role,
    secretKeys: secretKey,
    logStream,
    autoscaling,
    logLevel,
    metricsLevel,
    parallelism: parallelismOf(options.parallelism, '--parallelism'),
    parallelismPerKpu: parallelismOf(options.parallelismPerKpu, '--parallelism-per-kpu'),
  };
}

export function parallelismOf(text: string, flag: string): number {
  const value = wholeOf(text, flag, MOST_PARALLELISM);
  if (value > 0) return value;
  throw new TenantAnalyticsError('USAGE', `${flag}: expected a whole number from 1 to ${MOST_PARALLELISM}, got 0.`);
}
