import { backoffMs } from '../../base/backoff.ts';
import { type ErrorCode, messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import type { Clock } from '../../runtime/ports.ts';
import type { AwsClients } from './aws-clients.ts';

/** What a command on the managed service works with. Time and sleep are given, so that tests need not wait. */
export interface Operator {
  readonly aws: AwsClients;
  /** Name of the application. */
  readonly application: string;
  readonly clock: Clock;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly random: () => number;
  /** Aborted at Ctrl-C. */
  readonly signal: AbortSignal;
  /** How long a change of the application is waited for. */
  readonly limitMs: number;
  /** Progress, and what a person should know. */
  say(line: string): void;
  /** What was done, or was so already: told at once, so that it is known also when what follows fails. */
  did(line: string): void;
}

export const CALLS = {
  /** Of one call, in all. */
  attempts: 6,
  firstMs: 500,
  longestMs: 20_000,
} as const;

/** A call that AWS refused, or that did not reach it. */
export class AwsRefusal extends TenantAnalyticsError {
  /** The service's name of it, such as ResourceInUseException. */
  readonly awsCode: string;
  readonly awsMessage: string;

  constructor(operation: string, awsCode: string, awsMessage: string, cause: unknown) {
    const code = CODES[awsCode] ?? (isPassing(awsCode, awsMessage, cause) ? 'AWS_UNREACHABLE' : 'AWS_REFUSED');
    const advice = ADVICE[awsCode] ?? (code === 'AWS_UNREACHABLE' ? UNREACHABLE : '');
    const told = awsMessage === '' || awsMessage === awsCode ? awsCode : `${awsCode}: ${awsMessage}`;
    super(code, `${operation}: ${sentence(told)}${advice === '' ? '' : ` ${advice}`}`, { cause });
    this.awsCode = awsCode;
    this.awsMessage = awsMessage;
  }
}

const UNREACHABLE = `It was tried ${CALLS.attempts} times. See that the region can be reached (--region, --endpoint), and run the same command again.`;
const CREDENTIALS =
  'Give credentials of the account: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile (AWS_PROFILE), or a role.';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ResourceInUseException: 'APPLICATION_BUSY',
  ConcurrentModificationException: 'APPLICATION_CHANGED',
};

const ADVICE: Readonly<Record<string, string>> = {
  CredentialsProviderError: CREDENTIALS,
  UnrecognizedClientException: CREDENTIALS,
  InvalidClientTokenId: CREDENTIALS,
  InvalidAccessKeyId: CREDENTIALS,
  ExpiredToken: CREDENTIALS,
  ExpiredTokenException: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  AccessDenied: 'Allow it to the credentials that run this command; docs/deploy.md lists what they need.',
  AccessDeniedException: 'Allow it to the credentials that run this command; docs/deploy.md lists what they need.',
  NoSuchBucket: 'Make the bucket, or mend its name.',
  NotFound: 'Make it, or mend its name.',
  PermanentRedirect: 'The bucket is in another region: set --region.',
  ResourceInUseException: 'Look what it is doing: tenant-analytics app describe. Then run the same command again.',
  ConcurrentModificationException:
    'Someone else changes it, too: look with tenant-analytics app describe, then run the same command again.',
  LimitExceededException:
    'A quota of the account is used up: delete what is not needed, or ask for more in Service Quotas.',
  LimitExceeded: 'A quota of the account is used up: delete what is not needed, or ask for more in Service Quotas.',
};

/**
 * One call of AWS. It is repeated, with exponential back-off and full jitter, when it was throttled, did not arrive, or failed
 * within AWS: a call may then have been carried out twice, so whoever changes something looks at what is there first.
 * @param operation for errors: `StartApplication of CompanyJobProcessing`
 * @throws AwsRefusal, or STOPPED when the signal is aborted while it waits
 */
export async function call<T>(operator: Operator, operation: string, send: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      const [code, message] = namesOf(error);
      if (!isPassing(code, message, error) || attempt + 1 >= CALLS.attempts) {
        throw new AwsRefusal(operation, code, message, error);
      }
      if (attempt === 1) operator.say(`${operation}: ${code}; trying again …`);
      await operator.sleep(backoffMs(operator.random, attempt, CALLS.firstMs, CALLS.longestMs), operator.signal);
      if (operator.signal.aborted) throw new TenantAnalyticsError('STOPPED', `${operation} was not carried out.`);
    }
  }
}

export function isRefusal(error: unknown, ...codes: readonly string[]): error is AwsRefusal {
  return error instanceof AwsRefusal && codes.includes(error.awsCode);
}

/** The answer, or undefined when what was asked for is not there. */
export async function callOrNone<T>(
  operator: Operator,
  operation: string,
  send: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await call(operator, operation, send);
  } catch (error) {
    if (isRefusal(error, 'ResourceNotFoundException', 'NoSuchEntity', 'NoSuchEntityException', 'NotFound', 'NoSuchKey'))
      return undefined;
    throw error;
  }
}

function namesOf(error: unknown): [string, string] {
  // A refused connection to a name with several addresses is an AggregateError without a message.
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const name = inner instanceof Error ? inner.name : 'Error';
  const system = (inner as { readonly code?: unknown } | undefined)?.code;
  return [name === 'Error' && typeof system === 'string' ? system : name, messageOf(inner)];
}

const PASSING = new Set([
  ...['Throttling', 'ThrottlingException', 'ThrottledException', 'TooManyRequestsException', 'RequestLimitExceeded'],
  ...['ResourceProvisionedThroughputExceededException', 'ServiceUnavailableException', 'ServiceUnavailable'],
  ...['InternalFailure', 'InternalServerError', 'InternalError', 'ServiceFailure', 'SlowDown', 'RequestTimeout'],
  ...['TimeoutError', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'],
]);
const QUOTA_OR_RATE = new Set(['LimitExceededException', 'LimitExceeded']);

/** True when the same call may succeed a moment later. One name serves for quotas and, with these words, for rates. */
function isPassing(code: string, message: string, error: unknown): boolean {
  if (PASSING.has(code)) return true;
  if (QUOTA_OR_RATE.has(code)) return /\brate\b|throttl|too many requests/i.test(message);
  const { $metadata: metadata } = (error ?? {}) as { readonly $metadata?: { readonly httpStatusCode?: number } };
  const status = metadata?.httpStatusCode ?? 0;
  return status === 429 || status >= 500;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
