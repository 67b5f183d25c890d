import { existsSync, statSync } from 'node:fs';
import * as z from 'zod';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { jsonLines, rowFilesAndOpenParts } from '../../connectors/file/row-files.ts';

const REASONS = ['malformed', 'invalid', 'oversized', 'late', 'unknown-company'] as const;

const storedLetter = z.object({
  source: z.string(),
  shardId: z.string().nullable(),
  sequenceNumber: z.string(),
  arrivalTime: z.number(),
  reason: z.enum(REASONS),
  message: z.string(),
  payload: z.string(),
  /** The record as someone mended it; it stands in the place of `payload`. */
  record: z.string().optional(),
});

/** A dead letter as it lies in the files; `payload` in base64. */
export type StoredDeadLetter = z.infer<typeof storedLetter>;

/**
 * The dead letters in a folder, or below the output of a run, in the order of their files, also those in parts that are
 * still written to; or those in one file, as `dead-letters list --json` printed them. Of one reason, if given.
 */
export async function* listDeadLetters(place: string, reason: string | undefined): AsyncGenerator<StoredDeadLetter> {
  if (reason !== undefined && !REASONS.some((known) => known === reason)) {
    throw new TenantAnalyticsError('USAGE', `--reason: expected ${REASONS.join(', ')}, got ${reason}.`);
  }
  for (const path of await deadLetterFiles(place)) {
    for await (const { value, line } of jsonLines(path)) {
      const parsed = storedLetter.safeParse(value);
      if (!parsed.success) {
        throw new TenantAnalyticsError(
          'INPUT_CORRUPT',
          `${path}:${line}: expected a dead letter, got another record (${parsed.error.issues[0]?.path.join('.')})`,
        );
      }
      if (reason === undefined || parsed.data.reason === reason) yield parsed.data;
    }
  }
}

async function deadLetterFiles(place: string): Promise<readonly string[]> {
  if (place.startsWith('s3://')) {
    throw new TenantAnalyticsError(
      'INPUT_UNREADABLE',
      `${place}: expected a folder or a file on this machine. Copy them here first: aws s3 sync ${place} dead-letters`,
    );
  }
  if (isFile(place)) return [place];
  const below = deadLetterFolder(place);
  if (below === undefined && existsSync(`${place}/.state`)) return []; // an output without dead letters
  const files = await rowFilesAndOpenParts(below ?? place, '.jsonl');
  return below === undefined && (await holdsRows(files)) ? [] : files;
}

/** The output of a run that has no dead letters yet. */
async function holdsRows([first]: readonly string[]): Promise<boolean> {
  if (first === undefined) return false;
  for await (const { value } of jsonLines(first)) return 'trigger' in value && !('payload' in value);
  return false;
}

/** `_dead-letters` in the output of a run, if it is there. */
export function deadLetterFolder(place: string): string | undefined {
  const below = `${place}/_dead-letters`;
  return existsSync(below) ? below : undefined;
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
