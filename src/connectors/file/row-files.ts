import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';

/**
 * The committed files with this ending below a folder, in the order of their paths. Hidden files and folders (unfinished
 * parts, state) and those that begin with `_` (dead letters) are left out, as by all tools that read such folders.
 * @throws TenantAnalyticsError INPUT_UNREADABLE when the folder cannot be read
 */
export async function rowFiles(folder: string, extension: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new TenantAnalyticsError('INPUT_UNREADABLE', `Cannot read ${folder}: ${messageOf(error)}.`, { cause: error });
  });
  const files: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (/^[._]/.test(entry.name)) continue;
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) files.push(...(await rowFiles(path, extension)));
    else if (entry.name.endsWith(extension)) files.push(path);
  }
  return files;
}

/** A line of JSON in a file. */
export interface JsonLine {
  readonly value: Readonly<Record<string, unknown>>;
  readonly path: string;
  readonly line: number;
}

/** @throws TenantAnalyticsError INPUT_CORRUPT for a line that is not a JSON object */
export async function* jsonLines(path: string): AsyncGenerator<JsonLine> {
  let line = 0;
  for await (const text of linesOf(path)) {
    line++;
    if (text.trim() !== '') yield { value: parseLine(text, path, line), path, line };
  }
}

/** Lines end with a line feed and nothing else: JSON text may hold U+2028, at which some readers break a line. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'utf8' }) as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

function parseLine(text: string, path: string, line: number): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new TenantAnalyticsError('INPUT_CORRUPT', `${path}:${line}: expected a JSON object: ${messageOf(error)}`);
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  throw new TenantAnalyticsError('INPUT_CORRUPT', `${path}:${line}: expected a JSON object, got ${text.slice(0, 60)}`);
}
