// What a replay left behind, read without the program's own readers.
import { readFile } from 'node:fs/promises';
import { checkpoints, filesBelow, partsInCheckpoint } from './folders.ts';
import { run } from './program.ts';

/** The visible parts of rows, or of dead letters, as paths below the output folder. */
export async function parts(output: string, what: 'rows' | 'dead-letters' = 'rows'): Promise<string[]> {
  const wanted = what === 'rows' ? /^dt=[^/]+\/[^./][^/]*$/ : /^_dead-letters\/dt=[^/]+\/[^./][^/]*$/;
  return (await filesBelow(output)).filter((path) => wanted.test(path));
}

/** Every line of every visible part, sorted: a multiset. A part that does not end with a line feed is an error. */
export async function lines(output: string, what: 'rows' | 'dead-letters' = 'rows'): Promise<string[]> {
  const all: string[] = [];
  for (const path of await parts(output, what)) {
    const text = await readFile(`${output}/${path}`, 'utf8');
    if (!text.endsWith('\n')) throw new Error(`${path}: expected a line feed at its end`);
    for (const line of text.slice(0, -1).split('\n')) all.push(line);
  }
  return all.sort();
}

/** Files that only a run under way may have. */
export async function unfinished(output: string): Promise<string[]> {
  return (await filesBelow(output)).filter((path) => /\.(inprogress|tmp)$/.test(path));
}

/** Visible parts of rows that no checkpoint has committed: there must never be any. */
export async function shownTooEarly(output: string): Promise<string[]> {
  const shown = await parts(output);
  if ((await checkpoints(output)).length === 0) return shown;
  const { open, nextSequence } = await partsInCheckpoint(output);
  const unfit = new Set(open.map(({ sequence }) => sequence));
  return shown.filter((path) => {
    const sequence = Number(/-(\d+)\.\w+$/.exec(path)?.[1]);
    return sequence >= nextSequence || unfit.has(sequence);
  });
}

/** What the command `canonical` prints. */
export async function canonical(output: string): Promise<string> {
  const { code, stdout, stderr } = await run('canonical', output);
  if (code !== 0) throw new Error(`canonical ended with ${code}: ${stderr}`);
  return stdout;
}

export interface Letter {
  source: string;
  shardId: string | null;
  sequenceNumber: string;
  arrivalTime: number;
  reason: string;
  message: string;
  payload: string;
}

/** Dead letters in the order of their lines. */
export async function deadLetters(output: string): Promise<Letter[]> {
  const all = (await lines(output, 'dead-letters')).map((line) => JSON.parse(line) as Letter);
  return all.sort((a, b) => Number(a.sequenceNumber) - Number(b.sequenceNumber));
}

export function lineAndReason({ sequenceNumber, reason }: Letter): { line: number; reason: string } {
  return { line: Number(sequenceNumber), reason };
}

/** All that must be the same however often a replay was killed; `canonical` is made of nothing but the rows. */
export interface Result {
  rows: readonly string[];
  deadLetters: readonly string[];
}

export async function resultOf(output: string): Promise<Result> {
  return { rows: await lines(output), deadLetters: await lines(output, 'dead-letters') };
}

/** Says in one line where two lists part, or undefined when they are equal: a diff of 100,000 lines says nothing. */
export function difference(actual: readonly string[], expected: readonly string[]): string | undefined {
  const longer = actual.length > expected.length ? actual : expected;
  const at = longer.findIndex((_, index) => actual[index] !== expected[index]);
  if (at === -1) return undefined;
  return `${actual.length} lines instead of ${expected.length}; at ${at}: ${actual[at]} instead of ${expected[at]}`;
}

export function resultDifference(actual: Result, expected: Result): string | undefined {
  return difference(actual.rows, expected.rows) ?? difference(actual.deadLetters, expected.deadLetters);
}

export function textLines(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}
