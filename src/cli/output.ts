import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { systemCode } from '../base/errors.ts';

/** Writes lines to standard output, at the pace of who reads them. A reader that went away (`| head`) is no error. */
export async function printLines(lines: Iterable<string> | AsyncIterable<string>): Promise<void> {
  await pipeline(Readable.from(inBatches(lines)), process.stdout, { end: false }).catch((error: unknown) => {
    if (systemCode(error) !== 'EPIPE') throw error;
  });
}

const BATCH_CHARACTERS = 64 * 1024;

async function* inBatches(lines: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string> {
  let batch = '';
  for await (const line of lines) {
    batch += `${line}\n`;
    if (batch.length < BATCH_CHARACTERS) continue;
    yield batch;
    batch = '';
  }
  if (batch !== '') yield batch;
}

/** `1,234,567`. */
export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

/** A line on standard error: what a person should know, beside what was asked for. */
export function warn(message: string): void {
  process.stderr.write(`${message}\n`);
}
