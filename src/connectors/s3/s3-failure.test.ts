import { describe, expect, it } from 'vitest';
import { refusedAtStart, s3Failure } from './s3-failure.ts';

/** As the SDK throws it. */
function thrown(name: string, status?: number): Error {
  return Object.assign(new Error('told'), { name, $metadata: { httpStatusCode: status } });
}

describe('a failure of S3', () => {
  it.each([
    ['SlowDown', 503],
    ['UnknownError', 500],
    ['UnknownError', 429],
    ['RequestTimeout', 400],
    ['BadDigest', 400],
    ['RequestTimeTooSkewed', 403],
    ['ExpiredToken', 400],
    ['TimeoutError', undefined],
    ['Error', undefined],
  ])('that may pass is tried again: %s %s', (name, status) => {
    expect(s3Failure(thrown(name, status))).toMatchObject({ kind: 'away', code: name });
  });

  it.each([
    ['AccessDenied', 403],
    ['NoSuchBucket', 404],
    ['PermanentRedirect', 301],
    ['InvalidAccessKeyId', 403],
    ['NotImplemented', 501],
    ['CredentialsProviderError', undefined],
  ])('that only a person can mend is told as such: %s', (name, status) => {
    const failure = s3Failure(thrown(name, status));
    expect(failure.kind).toBe('refused');
    const error = refusedAtStart('S3SinkPath s3://bucket', failure);
    expect(error).toMatchObject({ code: 'S3_REFUSED', retryable: false });
    expect(error.message).toMatch(new RegExp(`^S3SinkPath s3://bucket: expected .*, got ${name}: told\\. \\w+`));
  });

  it.each(['NoSuchUpload', 'InvalidPart'])('that ends a multipart upload begins it anew: %s', (name) => {
    expect(s3Failure(thrown(name, 404)).kind).toBe('upload-gone');
  });

  it.each([undefined, null, 'text', 1, Symbol('s'), Object.create(null)])(
    'is never an error of its own (%#)',
    (what) => {
      expect(s3Failure(what)).toMatchObject({ kind: 'away', code: 'Unknown' });
    },
  );
});
