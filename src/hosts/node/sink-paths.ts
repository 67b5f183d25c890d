import { TenantAnalyticsError } from '../../base/errors.ts';
import type { Graph } from '../../runtime/contract.ts';
import { folderOf } from './part-stores.ts';

/**
 * Rows and dead letters in one folder could not be told apart, by us or by who reads them.
 * @throws TenantAnalyticsError PARAMETER_INVALID
 */
export function refuseSharedFolders({ sinks, deadLetters }: Graph): void {
  const letters = withSlash(deadLetters.path);
  for (const sink of sinks) {
    if (sink.kind === 'stream') continue;
    const rows = withSlash(sink.path);
    const isApart = !letters.startsWith(rows) || /^[._]/.test(letters.slice(rows.length));
    if (isApart && !rows.startsWith(letters)) continue;
    throw new TenantAnalyticsError(
      'PARAMETER_INVALID',
      `deadLetterPath: expected a folder apart from the rows in ${rows} (inside it, one whose name begins with _), got ${letters}`,
    );
  }
}

function withSlash(path: string): string {
  return `${path.startsWith('s3://') ? path : folderOf(path)}/`;
}
