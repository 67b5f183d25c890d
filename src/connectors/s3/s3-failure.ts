import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';

/**
 * - `away`: no answer, too many requests, or a failure of the service; later it may work.
 * - `upload-gone`: a multipart upload is not there any more, or not as it was; begin it anew.
 * - `refused`: credentials, permissions, bucket or region; trying again does not help until someone mends it.
 */
export type S3FailureKind = 'away' | 'upload-gone' | 'refused';

/** A call to S3 that failed. */
export class S3Failure extends Error {
  readonly kind: S3FailureKind;
  /** The name that S3 or the SDK gave it, such as SlowDown. */
  readonly code: string;

  constructor(kind: S3FailureKind, code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
    this.code = code;
  }
}

/** Answers below 500 after which the same call may succeed. Clocks that differ are set right by the SDK. */
const PASSING = new Set([
  ...['RequestTimeout', 'RequestTimeTooSkewed', 'SlowDown', 'Throttling', 'ThrottlingException', 'TooManyRequests'],
  ...['InternalError', 'ServiceUnavailable', 'OperationAborted', 'ConditionalRequestConflict'],
  ...['BadDigest', 'IncompleteBody', 'ExpiredToken', 'TokenRefreshRequired'],
]);
const UPLOAD_GONE = new Set(['NoSuchUpload', 'InvalidPart', 'InvalidPartOrder', 'EntityTooSmall']);

/** Whatever the SDK threw, as a failure of ours; never throws itself. */
export function s3Failure(thrown: unknown): S3Failure {
  if (thrown instanceof S3Failure) return thrown;
  const code = thrown instanceof Error ? thrown.name : 'Unknown';
  const text = messageOf(thrown);
  const message = text === '' || text === code ? code : `${code}: ${text}`;
  return new S3Failure(kindOf(code, statusOf(thrown)), code, message, { cause: thrown });
}

function kindOf(code: string, status: number | undefined): S3FailureKind {
  if (UPLOAD_GONE.has(code)) return 'upload-gone';
  if (PASSING.has(code)) return 'away';
  if (code === 'CredentialsProviderError') return 'refused';
  if (status === undefined || status < 300) return 'away';
  return status === 408 || status === 429 || (status >= 500 && status !== 501) ? 'away' : 'refused';
}

function statusOf(thrown: unknown): number | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  const { $metadata: metadata, $response: response } = thrown as {
    readonly $metadata?: { readonly httpStatusCode?: number };
    readonly $response?: { readonly statusCode?: number };
  };
  return metadata?.httpStatusCode ?? response?.statusCode;
}

/** What a person can do about it, by the name of the failure. */
const MENDING: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Make the bucket, or mend its name.',
  AccessDenied:
    'Allow s3:ListBucket and s3:ListBucketMultipartUploads on the bucket, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on its objects.',
  PermanentRedirect: 'The bucket is in another region: set aws.region.',
  AuthorizationHeaderMalformed: 'The bucket is in another region: set aws.region.',
  IllegalLocationConstraintException: 'The bucket is in another region: set aws.region.',
  InvalidAccessKeyId: 'Give other credentials (AWS_ACCESS_KEY_ID, a profile, a role).',
  SignatureDoesNotMatch: 'Give the secret key that belongs to the access key.',
  CredentialsProviderError:
    'Give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile (AWS_PROFILE), or a role.',
};

export function mendingOf({ code, kind }: S3Failure): string {
  if (kind === 'away') return 'See that it can be reached (s3.endpoint, aws.region), and start again.';
  return MENDING[code] ?? 'Mend bucket, region, s3.endpoint or permissions, and start again.';
}

/** The failure as one that ends the start. `place` names the parameter and its value. */
export function refusedAtStart(place: string, failure: S3Failure): TenantAnalyticsError {
  return new TenantAnalyticsError(
    'S3_REFUSED',
    `${place}: expected a bucket that takes rows, got ${failure.message}. ${mendingOf(failure)}`,
    { cause: failure },
  );
}
