import { messageOf, systemCode } from '../../base/errors.ts';
import { KinesisFailure, type KinesisFailureKind } from './kinesis-api.ts';

/** By the service's names, without `Exception` or `Error` at their end. Whatever is not here may work later. */
const KINDS: ReadonlyMap<string, KinesisFailureKind> = new Map([
  ...kind('throttled', 'ProvisionedThroughputExceeded', 'LimitExceeded', 'ResourceInUse', 'KMSThrottling'),
  ...kind('throttled', 'Throttling', 'Throttled', 'ThrottledRequest', 'RequestLimitExceeded', 'TooManyRequests'),
  ...kind('iterator-expired', 'ExpiredIterator'),
  ...kind('not-found', 'ResourceNotFound'),
  ...kind('refused', 'AccessDenied', 'UnrecognizedClient', 'InvalidSignature', 'SignatureDoesNotMatch'),
  ...kind('refused', 'ExpiredToken', 'RequestExpired', 'InvalidClientTokenId', 'IncompleteSignature'),
  ...kind('refused', 'MissingAuthenticationToken', 'OptInRequired', 'NotAuthorized', 'CredentialsProvider'),
  ...kind('refused', 'TokenProvider', 'InvalidArgument', 'Validation', 'Serialization', 'UnknownOperation'),
  ...kind('refused', 'KMSAccessDenied', 'KMSDisabled', 'KMSInvalidState', 'KMSNotFound', 'KMSOptInRequired'),
]);

function kind(of: KinesisFailureKind, ...names: readonly string[]): [string, KinesisFailureKind][] {
  return names.map((name) => [name, of]);
}

/** Anything that was thrown, classified; never throws itself. */
export function failureOf(thrown: unknown, operation: string): KinesisFailure {
  if (thrown instanceof KinesisFailure) return thrown;
  const code = codeOf(thrown);
  const known = KINDS.get(code.replace(/(Exception|Error)$/, '')) ?? 'unavailable';
  const message = `${operation}: ${code}: ${textOf(thrown)}${ADVICE.get(code) ?? ''}`;
  const cause = withoutExchange(thrown);
  return new KinesisFailure(isClockMended(thrown) ? 'unavailable' : known, code, message, { cause });
}

/** An error of the SDK carries the whole exchange, sockets and signed headers included: nothing to keep, or to print. */
function withoutExchange(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || !('$response' in thrown)) return thrown;
  const bare = new Error(thrown.message);
  bare.name = thrown.name;
  if (thrown.stack !== undefined) bare.stack = thrown.stack;
  return bare;
}

/** The SDK has learnt from the refusal how wrong this machine's clock is: the next request is signed with the right time. */
function isClockMended(thrown: unknown): boolean {
  return metadataOf(thrown)?.clockSkewCorrected === true && /signature (expired|not yet current)/i.test(textOf(thrown));
}

const ADVICE: ReadonlyMap<string, string> = new Map([
  [
    'CredentialsProviderError',
    '. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a local Kinesis set aws.endpoint to its address.',
  ],
]);

/** The service's name of an error; of others the system's code (ECONNREFUSED), which says more than their name. */
function codeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return systemCode(thrown) ?? 'Unknown';
  return '$fault' in thrown ? thrown.name : (systemCode(thrown) ?? thrown.name);
}

interface Metadata {
  readonly clockSkewCorrected?: boolean;
}

function metadataOf(thrown: unknown): Metadata | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('$metadata' in thrown)) return undefined;
  return typeof thrown.$metadata === 'object' && thrown.$metadata !== null ? thrown.$metadata : undefined;
}

/** A host name with several addresses fails with one error for each, and no text of its own. */
function textOf(thrown: unknown): string {
  return thrown instanceof AggregateError ? thrown.errors.map(messageOf).join('; ') : messageOf(thrown);
}

export function incomplete(where: string, missing: string): KinesisFailure {
  return new KinesisFailure('unavailable', 'IncompleteAnswer', `${where}: the answer was expected to have ${missing}`);
}
