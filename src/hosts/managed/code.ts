import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { onAbort } from '../../base/abort.ts';
import { messageOf, storageError, TenantAnalyticsError } from '../../base/errors.ts';
import { AwsRefusal, callOrNone, type Operator } from './aws-call.ts';
import { NAMES } from './names.ts';
import { type CodePlace, uriOf } from './requests.ts';

/** The application as one file, a jar or a zip. */
export interface Package {
  readonly path: string;
  readonly bytes: number;
  /** Of all its bytes, hexadecimal. */
  readonly sha256: string;
}

const PIECE_BYTES = 8 * 1024 * 1024;
const PIECES_AT_ONCE = 4;
/** What the managed service takes. */
const MOST_BYTES = 512 * 1024 * 1024;

/** @throws TenantAnalyticsError INPUT_UNREADABLE */
export async function packageAt(path: string): Promise<Package> {
  const refuse = (why: string, cause?: unknown) =>
    new TenantAnalyticsError('INPUT_UNREADABLE', `--jar ${path}: expected a jar or zip of at most 512 MiB, ${why}.`, {
      cause,
    });
  const { size } = await stat(path).catch((error: unknown) => {
    throw refuse(messageOf(error), error);
  });
  if (size === 0 || size > MOST_BYTES) throw refuse(`got ${size} bytes`);
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    throw refuse(messageOf(error), error);
  }
  return { path, bytes: size, sha256: hash.digest('hex') };
}

/** Writes `<path>.sha256`, as `sha256sum -c` reads it. Answers its path. */
export async function writeChecksum({ path, sha256 }: Package): Promise<string> {
  const file = `${path}.sha256`;
  await writeFile(file, `${sha256}  ${basename(path)}\n`).catch((error: unknown) => {
    throw storageError(error, file);
  });
  return file;
}

/** Its name holds its checksum: another version never takes its place, so there is always one to go back to. */
export function objectName({ path, sha256 }: Package): string {
  const extension = extname(path) || '.jar';
  return `${basename(path, extension)}-${sha256.slice(0, 12)}${extension}`;
}

/** @throws TenantAnalyticsError USAGE */
export function codePlaceOf(uri: string, flag: string): CodePlace {
  const [, bucket, key] = /^s3:\/\/([^/\s]+)\/(\S+[^/\s])$/.exec(uri) ?? [];
  if (bucket !== undefined && key !== undefined) return { bucket, key };
  throw new TenantAnalyticsError('USAGE', `${flag}: expected s3://bucket/${NAMES.codeFolder}/name.jar, got ${uri}.`);
}

/**
 * Puts the package into the bucket, in pieces, each checked by S3, unless it is there already. Answers whether it was sent.
 * @throws AwsRefusal; STOPPED at Ctrl-C, with nothing left in the bucket
 */
export async function uploadCode(operator: Operator, code: Package, place: CodePlace): Promise<boolean> {
  const there = await headOf(operator, place);
  if (there?.bytes === code.bytes && there.sha256 === code.sha256) return false;
  const upload = new Upload({
    client: operator.aws.uploads,
    params: {
      Bucket: place.bucket,
      Key: place.key,
      Body: createReadStream(code.path),
      ContentType: 'application/java-archive',
      ChecksumAlgorithm: 'SHA256',
      Metadata: { sha256: code.sha256 },
    },
    partSize: PIECE_BYTES,
    queueSize: PIECES_AT_ONCE,
    leavePartsOnError: false,
  });
  const stop = () => void upload.abort().catch(() => undefined);
  const takeBack = onAbort(operator.signal, stop);
  upload.on('httpUploadProgress', ({ loaded = 0 }) => {
    operator.say(`Uploaded ${megabytes(loaded)} of ${megabytes(code.bytes)}`);
  });
  try {
    await upload.done();
  } catch (error) {
    if (operator.signal.aborted) {
      throw new TenantAnalyticsError(
        'STOPPED',
        `The upload to ${uriOf(place)} was stopped; nothing of it is in the bucket.`,
      );
    }
    const name = error instanceof Error ? error.name : 'Error';
    throw new AwsRefusal(`Upload to ${uriOf(place)}`, name, messageOf(error), error);
  } finally {
    takeBack();
  }
  const arrived = await headOf(operator, place);
  if (arrived?.bytes === code.bytes && arrived.sha256 === code.sha256) return true;
  throw new TenantAnalyticsError(
    'AWS_REFUSED',
    `${uriOf(place)}: expected ${code.bytes} bytes with the SHA-256 ${code.sha256} after the upload, got ${arrived?.bytes ?? 'nothing'}. Run the same command again.`,
  );
}

/** @throws TenantAnalyticsError INPUT_UNREADABLE when there is no such object */
export async function requireCode(operator: Operator, place: CodePlace): Promise<void> {
  if ((await headOf(operator, place)) !== undefined) return;
  throw new TenantAnalyticsError(
    'INPUT_UNREADABLE',
    `There is no ${uriOf(place)}. Put the code there with tenant-analytics app upload, or mend its name.`,
  );
}

async function headOf(operator: Operator, { bucket: Bucket, key: Key }: CodePlace) {
  const answer = await callOrNone(operator, `HeadObject of s3://${Bucket}/${Key}`, () =>
    operator.aws.s3.send(new HeadObjectCommand({ Bucket, Key })),
  );
  return answer === undefined ? undefined : { bytes: answer.ContentLength ?? -1, sha256: answer.Metadata?.sha256 };
}

export function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${bytes} bytes` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
