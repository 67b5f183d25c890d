import { existsSync } from 'node:fs';
import * as z from 'zod';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { jsonLines, rowFiles } from '../../connectors/file/row-files.ts';

const REASONS = ['malformed', 'invalid', 'oversized', 'late', 'unknown-company'] as const;

const storedLetter = z.object({
  source: z.string(),
  shardId: z.string().nullable(),
  sequenceNumber: z.string(),
  arrivalTime: z.number(),
  reason: z.enum(REASONS),
  message: z.string(),
  payload: z.string(),
});

/** A dead letter as it lies in the files; `payload` in base64. */
export type StoredDeadLetter = z.infer<typeof storedLetter>;

/** The dead letters in a folder, or below the output of a replay, in the order of their files; of one reason, if given. */
export async function* listDeadLetters(folder: string, reason: string | undefined): AsyncGenerator<StoredDeadLetter> {
  if (reason !== undefined && !REASONS.some((known) => known === reason)) {
    throw new TenantAnalyticsError('USAGE', `--reason: expected ${REASONS.join(', ')}, got ${reason}.`);
  }
  const below = `${folder}/_dead-letters`;
  if (!existsSync(below) && existsSync(`${folder}/.state`)) return; // an output without dead letters
  const files = await rowFiles(existsSync(below) ? below : folder, '.jsonl');
  for (const path of files) {
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
