/** Looks at the rows a contender wrote: all files under its folder except hidden ones and those that start with `_`. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const NEWLINE = 10;

export async function countRows(dir: string): Promise<number> {
  let rows = 0;
  for await (const path of rowFiles(dir)) {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) rows++;
    }
  }
  return rows;
}

/** All rows in memory, sorted: for the small input only. */
export async function sortedRows(dir: string): Promise<string[]> {
  const rows: string[] = [];
  for await (const path of rowFiles(dir)) {
    for (const row of (await readFile(path, 'utf8')).split('\n')) if (row !== '') rows.push(row);
  }
  return rows.sort();
}

export function checksum(rows: readonly string[]): string {
  const hash = createHash('sha256');
  for (const row of rows) hash.update(row).update('\n');
  return hash.digest('hex').slice(0, 16);
}

/** The first difference of two sorted lists in words, or undefined when they hold the same rows equally often. */
export function firstDifference(expected: readonly string[], found: readonly string[]): string | undefined {
  const length = Math.max(expected.length, found.length);
  for (let i = 0; i < length; i++) {
    if (expected[i] !== found[i]) {
      return `sorted row ${i + 1}: expected ${expected[i] ?? 'no more rows'}, found ${found[i] ?? 'no more rows'}`;
    }
  }
  return undefined;
}

async function* rowFiles(dir: string): AsyncGenerator<string> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name.startsWith('_')) continue;
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* rowFiles(path);
    else yield path;
  }
}
