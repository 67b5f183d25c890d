import { once } from 'node:events';

/** Writes lines to standard output, at the pace of who reads them. A reader that went away (`| head`) is no error. */
export async function printLines(lines: Iterable<string> | AsyncIterable<string>): Promise<void> {
  let batch = '';
  let isGone = false;
  const onError = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    isGone = true;
  };
  process.stdout.on('error', onError);
  for await (const line of lines) {
    batch += `${line}\n`;
    if (batch.length < 64 * 1024) continue;
    if (isGone) break;
    if (!process.stdout.write(batch))
      await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]);
    batch = '';
  }
  if (batch !== '' && !isGone) await new Promise<void>((resolve) => process.stdout.write(batch, () => resolve()));
}

/** `1,234,567`. */
export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
