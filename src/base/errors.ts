/**
 * Errors a caller can act on. Each has a stable `code`, says whether trying again can help (`retryable`), and the
 * exit code the command line gives it. The message says what was expected, what came, and what to do.
 */
export type ErrorCode =
  | 'USAGE'
  | 'PARAMETER_UNKNOWN'
  | 'PARAMETER_INVALID'
  | 'PARAMETER_MISSING'
  | 'INPUT_UNREADABLE'
  | 'INPUT_CHANGED'
  | 'INPUT_CORRUPT'
  | 'OUTPUT_OCCUPIED'
  | 'NOT_CONNECTED'
  | 'LOCKED'
  | 'CHECKPOINT_CORRUPT'
  | 'CHECKPOINT_TOO_NEW'
  | 'OUTPUT_LOST'
  | 'STORAGE_FULL'
  | 'STORAGE_FAILED'
  | 'STOPPED'
  | 'STAGE_FAILED'
  | 'STATE_MISMATCH'
  | 'STREAM_NOT_FOUND'
  | 'STREAM_CHANGED'
  | 'KINESIS_REFUSED'
  | 'KINESIS_UNREACHABLE'
  | 'S3_REFUSED'
  | 'SECRET_UNREADABLE'
  | 'PORT_TAKEN'
  | 'SERVICE_FAILED'
  | 'FLINK_MISSING'
  | 'FLINK_FAILED'
  | 'FLINK_UNREACHABLE'
  | 'FLINK_REFUSED'
  | 'JOB_FAILED'
  | 'AWS_REFUSED'
  | 'AWS_UNREACHABLE'
  | 'APPLICATION_NOT_FOUND'
  | 'APPLICATION_BUSY'
  | 'APPLICATION_CHANGED'
  | 'APPLICATION_DIFFERS'
  | 'APPLICATION_FAILED';

/** What the command line ends with: the work failed, or the words of the command were wrong. */
type ExitCode = 1 | 2;

const WRONG_USAGE: ReadonlySet<ErrorCode> = new Set([
  'USAGE',
  'PARAMETER_UNKNOWN',
  'PARAMETER_INVALID',
  'PARAMETER_MISSING',
  'INPUT_UNREADABLE',
  'INPUT_CHANGED',
  'OUTPUT_OCCUPIED',
  'NOT_CONNECTED',
  'STATE_MISMATCH',
  'STREAM_NOT_FOUND',
  'STREAM_CHANGED',
  'PORT_TAKEN',
  'APPLICATION_NOT_FOUND',
]);

const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  'LOCKED',
  'STORAGE_FULL',
  'STORAGE_FAILED',
  'STOPPED',
  'KINESIS_UNREACHABLE',
  'FLINK_UNREACHABLE',
  'AWS_UNREACHABLE',
  'APPLICATION_BUSY',
  'APPLICATION_CHANGED',
]);

export class TenantAnalyticsError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TenantAnalyticsError';
    this.code = code;
  }

  /** True when the same call can succeed later without a change of its arguments. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }

  get exitCode(): ExitCode {
    return WRONG_USAGE.has(this.code) ? 2 : 1;
  }
}

/** The text of anything that was thrown; never throws itself. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  try {
    return String(thrown);
  } catch {
    return 'an error that cannot be shown';
  }
}

/** The `code` of a system error (`ENOSPC`, `ENOENT`, …), or undefined. */
export function systemCode(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** A failed write as an error of ours: a full disk is told apart from the rest. Errors of ours pass through. */
export function storageError(thrown: unknown, what: string): TenantAnalyticsError {
  if (thrown instanceof TenantAnalyticsError) return thrown;
  const code = systemCode(thrown);
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new TenantAnalyticsError(
      'STORAGE_FULL',
      `${what}: no space left (${code}). Free some space and run the same command again: it goes on from the last checkpoint.`,
      { cause: thrown },
    );
  }
  return new TenantAnalyticsError('STORAGE_FAILED', `${what}: ${messageOf(thrown)}`, { cause: thrown });
}
