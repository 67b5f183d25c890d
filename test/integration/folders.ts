// Temporary folders, and what lies in a folder.
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { decodeCheckpoint } from '../../src/runtime/checkpoint-format.ts';
import type { CheckpointBody } from '../../src/runtime/checkpointer.ts';
import type { PartsState } from '../../src/runtime/ports.ts';
import type { Running } from './program.ts';

const folders: string[] = [];

/** For a file of tests: its temporary folders are removed when it ends. */
export function removeFolders(): void {
  afterAll(async () => {
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  });
}

/** Removed when the test file ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(`${tmpdir()}/tenant-analytics-`);
  folders.push(folder);
  return folder;
}

/** All files below a folder, hidden ones too, as paths from there, in order. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const prefix = folder.length + 1;
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(prefix))
    .sort();
}

/** Everything below a folder with its time, size and content: equal exactly if nothing was touched. */
export async function snapshot(folder: string, leaveOut: readonly string[] = []): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of ['', ...(await readdir(folder, { recursive: true })).sort()]) {
    if (leaveOut.includes(name)) continue;
    const path = `${folder}/${name}`;
    const { mtimeNs, size, ino } = await stat(path, { bigint: true });
    const isFolder = (await stat(path)).isDirectory();
    const content = isFolder
      ? 'folder'
      : createHash('sha256')
          .update(await readFile(path))
          .digest('hex');
    found[name] = `${ino} ${mtimeNs} ${isFolder ? '' : size} ${content}`;
  }
  return found;
}

export function checkpointFolder(output: string): string {
  return `${output}/.state/checkpoints`;
}

/** Names of the checkpoints that can be gone on from, oldest first. */
export async function checkpoints(output: string): Promise<string[]> {
  const names = await readdir(checkpointFolder(output)).catch(() => []);
  return names.filter((name) => /^chk-\d+$/.test(name)).sort();
}

/** Waits until a checkpoint with at least this number is there, or the program ended; returns the newest's number. */
export async function checkpointReached(output: string, atLeast: number, program: Running): Promise<number> {
  for (;;) {
    const newest = Number((await checkpoints(output)).at(-1)?.slice(4) ?? 0);
    if (newest >= atLeast || program.hasEnded()) return newest;
    await sleep(1);
  }
}

/** Waits until the program has begun to write rows, so that it is in the middle of its work. */
export async function rowsBegun(output: string, program: Running): Promise<void> {
  for (;;) {
    const names = await readdir(output).catch(() => []);
    if (names.some((name) => name.startsWith('dt=')) || program.hasEnded()) return;
    await sleep(1);
  }
}

/** What the newest checkpoint says of the parts of rows. */
export async function partsInCheckpoint(output: string, name?: string): Promise<PartsState> {
  const newest = name ?? (await checkpoints(output)).at(-1);
  const { meta } = decodeCheckpoint(await readFile(`${checkpointFolder(output)}/${newest}`));
  return (meta.body as CheckpointBody).sinks.rows as PartsState;
}
