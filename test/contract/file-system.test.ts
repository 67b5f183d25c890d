import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/connectors/file/node-file-system.ts';
import type { FileSystem } from '../../src/runtime/ports.ts';
import { SimulatedDisk } from '../simulation/simulated-files.ts';

/* What the engine relies on, rerun on each backend: a simulation on a disk that behaves otherwise would show nothing. */

const folder = mkdtempSync(`${tmpdir()}/file-system-`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const backends: [string, FileSystem, string][] = [
  ['this machine', nodeFileSystem, folder],
  ['the simulated disk', new SimulatedDisk().mount({ before: () => undefined }, () => false), '/disk'],
];

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = async (files: FileSystem, path: string) => new TextDecoder().decode(await files.read(path));

async function write(files: FileSystem, path: string, text: string): Promise<void> {
  const file = await files.openAt(path, 0);
  await file.append(bytes(text));
  await file.sync();
  await file.close();
}

describe.each(backends)('the file system of %s', (_name, files, root) => {
  it('makes folders with their parents, again without harm, and lists names and kinds', async () => {
    await files.makeFolder(`${root}/list/dt=1`);
    await files.makeFolder(`${root}/list/dt=1`);
    await files.makeFolder(`${root}/list`);
    await write(files, `${root}/list/a`, 'a');
    const entries = [...(await files.list(`${root}/list`))].sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(entries).toEqual([
      { name: 'a', isFolder: false },
      { name: 'dt=1', isFolder: true },
    ]);
    expect(await files.list(`${root}/nowhere`)).toEqual([]);
  });

  it('opens at a length: cuts what lies beyond, appends after it, refuses a file that is shorter', async () => {
    const path = `${root}/open/file`;
    await files.makeFolder(`${root}/open`);
    await write(files, path, '0123456789');
    const file = await files.openAt(path, 4);
    expect(await textOf(files, path)).toBe('0123');
    await file.append(bytes('abc'));
    await file.append(bytes('def'));
    await file.close();
    expect(await textOf(files, path)).toBe('0123abcdef');
    await expect(files.openAt(path, 11)).rejects.toThrow('11 bytes');
    expect(await textOf(files, path)).toBe('0123abcdef');
  });

  it('knows the size, and that there is none', async () => {
    await files.makeFolder(`${root}/size`);
    await write(files, `${root}/size/file`, 'abc');
    expect(await files.size(`${root}/size/file`)).toBe(3);
    expect(await files.size(`${root}/size/none`)).toBeUndefined();
    expect(await files.size(`${root}/none/none`)).toBeUndefined();
    await expect(files.read(`${root}/size/none`)).rejects.toThrow();
  });

  it('renames over what is there, and not what is not there', async () => {
    await files.makeFolder(`${root}/rename`);
    await write(files, `${root}/rename/a`, 'new');
    await write(files, `${root}/rename/b`, 'old');
    await files.rename(`${root}/rename/a`, `${root}/rename/b`);
    await files.syncFolder(`${root}/rename`);
    expect(await textOf(files, `${root}/rename/b`)).toBe('new');
    expect(await files.size(`${root}/rename/a`)).toBeUndefined();
    await expect(files.rename(`${root}/rename/a`, `${root}/rename/c`)).rejects.toThrow();
  });

  it('removes, again without harm', async () => {
    await files.makeFolder(`${root}/remove`);
    await write(files, `${root}/remove/a`, 'a');
    await files.remove(`${root}/remove/a`);
    await files.remove(`${root}/remove/a`);
    expect(await files.list(`${root}/remove`)).toEqual([]);
  });
});
