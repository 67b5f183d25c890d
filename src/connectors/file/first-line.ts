import { TenantAnalyticsError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { decodeUtf8 } from '../../base/utf8.ts';
import { type Columns, Rejection, type Source } from '../../runtime/contract.ts';

/** Where reading goes on. */
export interface FilePosition {
  /** Offset of the next line in the (uncompressed) file. */
  readonly offset: number;
  /** Physical lines before it. */
  readonly line: number;
}

/**
 * What the head of a file says, its first {@link LIMITS.headerBytes} uncompressed bytes: the columns that a header line
 * names, and where the records begin, after a byte order mark and that line.
 * @throws TenantAnalyticsError INPUT_UNREADABLE when its header lacks a column, or is too long
 */
export function firstLine(
  path: string,
  head: Uint8Array,
  source: Pick<Source<unknown>, 'header'>,
): { columns: Columns | null; start: FilePosition } {
  const hasMark = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf;
  const from = hasMark ? 3 : 0;
  const end = head.indexOf(0x0a, from);
  const line = decodeUtf8(head, from, end === -1 ? head.length : end);
  const columns = line === undefined ? undefined : source.header(line.trimEnd());
  if (columns instanceof Rejection) throw unreadable(path, columns.message);
  if (columns === undefined) return { columns: null, start: { offset: from, line: 0 } };
  if (end === -1 && head.length === LIMITS.headerBytes) {
    throw unreadable(path, `expected a header of less than ${LIMITS.headerBytes} bytes, got a longer one`);
  }
  return { columns, start: { offset: end === -1 ? head.length : end + 1, line: 1 } };
}

export function unreadable(path: string, why: string, cause?: unknown): TenantAnalyticsError {
  return new TenantAnalyticsError('INPUT_UNREADABLE', `Cannot read ${path}: ${why}.`, { cause });
}
