import { type FileHandle, open, readdir } from 'node:fs/promises';
import { messageOf, systemCode, TenantAnalyticsError } from '../../base/errors.ts';

/** Hidden files and folders (unfinished parts, state) and those that begin with `_` (dead letters) are no rows. */
const NO_ROWS = /^[._]/;
const OPEN_PART = /^(.*\/)\.([^/]+)\.inprogress$/;

/** Whether a path below a folder of rows, with slashes, is that of a committed file of rows with this ending. */
export function isRowFile(path: string, extension: string): boolean {
  return path.endsWith(extension) && !path.split('/').some((name) => NO_ROWS.test(name));
}

/**
 * The committed files with this ending below a folder, in the order of their paths. What is no rows is left out, as by all
 * tools that read such folders.
 * @throws TenantAnalyticsError INPUT_UNREADABLE when the folder cannot be read
 */
export async function rowFiles(folder: string, extension: string): Promise<string[]> {
  return filesBelow(folder, (name) => isRowFile(name, extension));
}

/** The same, with the parts that are still written to. What they hold may be made anew after a crash. */
export async function rowFilesAndOpenParts(folder: string, extension: string): Promise<string[]> {
  const isOpenPart = (name: string) => name.startsWith('.part-') && name.endsWith(`${extension}.inprogress`);
  return filesBelow(folder, (name) => isOpenPart(name) || isRowFile(name, extension));
}

async function filesBelow(folder: string, isWanted: (name: string) => boolean): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new TenantAnalyticsError('INPUT_UNREADABLE', `Cannot read ${folder}: ${messageOf(error)}.`, { cause: error });
  });
  const files: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `${folder}/${entry.name}`;
    if (!entry.isDirectory()) files.push(...(isWanted(entry.name) ? [path] : []));
    else if (!NO_ROWS.test(entry.name)) files.push(...(await filesBelow(path, isWanted)));
  }
  return files;
}

/** A line of JSON in a file. */
export interface JsonLine {
  readonly value: Readonly<Record<string, unknown>>;
  readonly path: string;
  readonly line: number;
}

/**
 * The last line of a part that is still written to may be half of one: it is left out.
 * @throws TenantAnalyticsError INPUT_CORRUPT for a line that is not a JSON object
 */
export async function* jsonLines(path: string): AsyncGenerator<JsonLine> {
  let line = 0;
  for await (const text of linesOf(path, !path.endsWith('.inprogress'))) {
    line++;
    if (text.trim() !== '') yield { value: parseLine(text, path, line), path, line };
  }
}

/** Lines end with a line feed and nothing else: JSON text may hold U+2028, at which some readers break a line. */
async function* linesOf(path: string, withLast: boolean): AsyncGenerator<string> {
  const file = await opened(path);
  if (file === undefined) return;
  let rest = '';
  for await (const chunk of file.createReadStream({ encoding: 'utf8' }) as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '' && withLast) yield rest;
}

/** A part that was open when it was listed may be finished by now, under the name of a finished one, or be gone after a crash. */
async function opened(path: string): Promise<FileHandle | undefined> {
  const [, folder, name] = OPEN_PART.exec(path) ?? [];
  if (name === undefined) return open(path);
  return open(path)
    .catch(unlessMissing)
    .then((file) => file ?? open(`${folder}${name}`).catch(unlessMissing));
}

function unlessMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
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
