import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { type EpochMs, MAX_TIME } from '../../base/time.ts';
import type { Columns, Source } from '../../runtime/contract.ts';
import { isGzip, openChunks } from './chunk-reader.ts';
import type { FilePosition } from './first-line.ts';
import { firstLine, unreadable } from './first-line.ts';

/** What tells an input file from another: not its path or time, which may change while its content does not. */
export interface InputIdentity {
  readonly name: string;
  readonly size: number;
  /** SHA-256 of 64 pieces of 16 KiB, evenly spread, the first and the last bytes among them. */
  readonly digest: string;
}

export interface InputFile {
  readonly path: string;
  readonly identity: InputIdentity;
  readonly gzip: boolean;
  readonly modifiedAt: EpochMs;
  readonly columns: Columns | null;
  /** After the byte order mark and the header line, if any. */
  readonly start: FilePosition;
}

/**
 * Looks at an input file before it is read: what it is, and whether its first line is a header.
 * @throws TenantAnalyticsError INPUT_UNREADABLE when it cannot be opened, is no file, or its header lacks a column
 */
export async function inspectInput(path: string, source: Source<unknown>): Promise<InputFile> {
  const absolute = resolve(path);
  const file = await open(absolute, 'r').catch((error: unknown) => {
    throw unreadable(path, messageOf(error), error);
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw unreadable(path, 'expected a file, got something else');
    const modifiedAt = Math.floor(stat.mtimeMs);
    if (modifiedAt < 0 || modifiedAt > MAX_TIME) {
      const date = stat.mtime.toISOString();
      throw unreadable(path, `expected a modification time from 1970 to 9999, got ${date}; set another with touch`);
    }
    const head = new Uint8Array(2);
    await file.read(head, 0, 2, 0);
    const gzip = isGzip(head);
    const identity = { name: basename(absolute), size: stat.size, digest: await digestOf(file, stat.size) };
    const firstBytes = await readHead(absolute, gzip, stat.size);
    const { columns, start } = firstLine(path, firstBytes, source);
    return { path: absolute, identity, gzip, modifiedAt, columns, start };
  } finally {
    await file.close();
  }
}

async function readHead(path: string, gzip: boolean, size: number): Promise<Uint8Array> {
  const reader = await openChunks(path, gzip, size, 0);
  try {
    const chunk = await reader.read();
    return (chunk ?? new Uint8Array(0)).slice(0, LIMITS.headerBytes);
  } finally {
    await reader.close();
  }
}

const PIECES = 64;
const PIECE_BYTES = 16 * 1024;

async function digestOf(file: FileHandle, size: number): Promise<string> {
  const hash = createHash('sha256');
  const piece = new Uint8Array(PIECE_BYTES);
  const span = Math.max(0, size - PIECE_BYTES);
  for (let index = 0; index < PIECES; index++) {
    const at = Math.floor((span * index) / (PIECES - 1));
    const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, at);
    hash.update(piece.subarray(0, bytesRead));
    if (size <= PIECE_BYTES) break;
  }
  return hash.digest('hex');
}
