import { expect, test } from 'vitest';
import { catchUp, type LeftOut, type OpenRowFile, type RowFile } from './catch-up.ts';

/** A store that counts a row for each file, and files whose bytes are counted while they are open. */
class World {
  readonly warnings: string[] = [];
  readonly applied: (readonly string[])[] = [];
  readonly over = new AbortController();
  openBytes = 0;
  openBytesMax = 0;
  applying: (paths: readonly string[]) => Promise<void> = async () => {};

  file(name: string, bytes: number, instead?: () => Promise<OpenRowFile | LeftOut>): RowFile {
    const open = async () => {
      this.openBytes += bytes;
      this.openBytesMax = Math.max(this.openBytesMax, this.openBytes);
      await Promise.resolve();
      const release = async () => {
        this.openBytes -= bytes;
      };
      return { path: `/tmp/${name}`, release };
    };
    return { name, bytes, open: instead ?? open };
  }

  catchUp(files: AsyncIterable<RowFile> | Iterable<RowFile>) {
    const applyFiles = async (paths: readonly string[]) => {
      this.applied.push(paths);
      await this.applying(paths);
      return { fresh: paths.length, unusable: 0, changed: 0, newest: [], flips: [] };
    };
    const warn = (message: string) => void this.warnings.push(message);
    const limits = { batchBytes: 100, batchFiles: 5 };
    return catchUp({ applyFiles }, files, { warn, signal: this.over.signal, limits });
  }
}

test('of many files two batches are open at a time, in their order, and none afterwards', async () => {
  const world = new World();
  world.applying = () => new Promise((resolve) => setImmediate(resolve));
  const files = Array.from({ length: 200 }, (_, nth) => world.file(`${nth}`, 1 + ((nth * 37) % 60)));
  expect(await world.catchUp(files)).toEqual({ rows: 200, unusable: 0 });
  expect(world.applied.flat()).toEqual(files.map(({ name }) => `/tmp/${name}`));
  expect(world.openBytesMax).toBeGreaterThan(100);
  expect(world.openBytesMax).toBeLessThanOrEqual(200);
  expect(world.applied.every((paths) => paths.length <= 5)).toBe(true);
  expect(world.openBytes).toBe(0);
});

test('the next files are fetched while some are read', async () => {
  const world = new World();
  let secondIsOpen: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    secondIsOpen = resolve;
  });
  world.applying = async ([path]) => (path === '/tmp/first' ? opened : undefined);
  const second = world.file('second', 100, async () => {
    secondIsOpen();
    return { path: '/tmp/second', release: async () => {} };
  });
  expect(await world.catchUp([world.file('first', 100), second])).toEqual({ rows: 2, unusable: 0 });
});

test('a file larger than a batch is read alone', async () => {
  const world = new World();
  await world.catchUp([world.file('a', 1), world.file('large', 1000), world.file('b', 1)]);
  expect(world.applied).toEqual([['/tmp/a'], ['/tmp/large'], ['/tmp/b']]);
});

test('files that are gone are left out: the first are named, the others counted', async () => {
  const world = new World();
  const gone = Array.from({ length: 13 }, (_, nth) => world.file(`gone-${nth}`, 10, async () => ({ why: 'is gone' })));
  expect(await world.catchUp([world.file('a', 10), ...gone, world.file('b', 10)])).toMatchObject({ rows: 2 });
  expect(world.warnings).toHaveLength(11);
  expect(world.warnings[0]).toContain('gone-0: is gone');
  expect(world.warnings[10]).toContain('3 more files');
});

test('a file that DuckDB cannot read keeps out no other, and is named as people know it', async () => {
  const world = new World();
  world.applying = async (paths) => {
    if (paths.includes('/tmp/bad')) throw new Error('cannot read /tmp/bad\nand more');
  };
  const files = ['a', 'bad', 'b'].map((name) => world.file(name, 1));
  expect(await world.catchUp(files)).toMatchObject({ rows: 2 });
  expect(world.warnings).toEqual(['The dashboard left out the rows of bad: cannot read bad']);
  expect(world.openBytes).toBe(0);
});

test('what refuses one file ends the catch-up with its error, and nothing stays open', async () => {
  const world = new World();
  const refused = world.file('refused', 10, () => Promise.reject(new Error('no permission')));
  await expect(world.catchUp([world.file('a', 95), world.file('b', 10), refused])).rejects.toThrow('no permission');
  await expect.poll(() => world.openBytes).toBe(0);
  async function* refusedList() {
    yield world.file('a', 10);
    throw new Error('no list');
  }
  await expect(world.catchUp(refusedList())).rejects.toThrow('no list');
});

test('stopped in the middle it ends well, and releases what is open', async () => {
  const world = new World();
  world.applying = async () => world.over.abort();
  const files = Array.from({ length: 20 }, (_, nth) => world.file(`${nth}`, 60));
  expect((await world.catchUp(files)).rows).toBe(1);
  expect(world.applied).toHaveLength(1);
  expect(world.openBytes).toBe(0);
});
