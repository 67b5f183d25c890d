import { describe, expect, it } from 'vitest';
import { SimulatedDisk } from '../../../test/simulation/simulated-files.ts';
import { LIMITS } from '../../base/limits.ts';
import { sleep } from '../../base/sleep.ts';
import type { FileSystem, PartsState, World } from '../../runtime/ports.ts';
import { Pressure } from '../../runtime/pressure.ts';
import { FilePartStore } from './part-store.ts';

const limits = { ...LIMITS, openFiles: 3, openParts: 10, finishedPartBytes: 100, flushBytes: 1 };

/** A store on a simulated disk that counts the files open at a time. */
function setUp(rollBytes = 1e9, disk = new SimulatedDisk()) {
  const open = { now: 0, most: 0 };
  const mounted = disk.mount({ before: () => undefined }, () => false);
  const files: FileSystem = {
    ...mounted,
    openAt: async (path, length) => {
      const file = await mounted.openAt(path, length);
      open.most = Math.max(open.most, ++open.now);
      const close = async () => {
        open.now--;
        await file.close();
      };
      return { append: file.append, sync: file.sync, close };
    },
  };
  const nothing = () => undefined;
  const world: World = { files, clock: { now: () => 0 }, probe: nothing, sleep, random: Math.random, warn: nothing };
  const pressure = new Pressure(1e6, 0);
  const options = { folder: '/out', extension: 'txt', rollBytes, rollAgeMs: 1e9, newRunID: 'run', limits };
  const store = new FilePartStore(world, pressure, options, (error) => {
    throw error;
  });
  return { store, disk, pressure, open };
}

function write(store: FilePartStore, partition: string, line: string): void {
  const part = store.part(partition);
  part.buffer.utf8(`${line}\n`);
  part.wrote();
}

async function checkpoint(store: FilePartStore): Promise<PartsState> {
  const barrier = store.barrier();
  await barrier.persist();
  await barrier.commit();
  return barrier.state;
}

const visible = (disk: SimulatedDisk) =>
  Object.fromEntries(
    [...disk.files()]
      .filter(([path]) => !path.includes('/.'))
      .map(([path, bytes]) => [path.slice('/out/'.length), new TextDecoder().decode(bytes)]),
  );

describe('parts of many dates', () => {
  it('keep few files open, and each date its own part', async () => {
    const { store, disk, open } = setUp();
    for (let round = 0; round < 3; round++) {
      for (let day = 0; day < 8; day++) write(store, `dt=${day}`, `${day} ${round}`);
      await checkpoint(store);
    }
    store.finish();
    await checkpoint(store);
    expect(open.most).toBeLessThanOrEqual(2 * limits.openFiles);
    expect(open.now).toBe(0);
    expect(Object.keys(visible(disk))).toHaveLength(8);
    expect(visible(disk)['dt=5/part-run-000006.txt']).toBe('5 0\n5 1\n5 2\n');
  });

  it('beyond the most there may be, complete the one used longest ago', async () => {
    const { store, disk } = setUp();
    for (let day = 0; day < limits.openParts; day++) write(store, `dt=${day}`, 'first');
    write(store, 'dt=0', 'second');
    write(store, 'dt=new', 'first');
    const state = await checkpoint(store);
    expect(visible(disk)).toEqual({ 'dt=1/part-run-000002.txt': 'first\n' });
    expect(state.open.map((part) => part.partition)).not.toContain('dt=1');
    expect(state.open).toHaveLength(limits.openParts);
  });
});

describe('complete parts', () => {
  it('are back-pressure until a checkpoint makes them visible', async () => {
    const { store, disk, pressure } = setUp(1);
    for (let line = 0; line < 5; line++) write(store, 'dt=1', `${line}`);
    expect(pressure.bytes).toBeGreaterThanOrEqual(5 * limits.finishedPartBytes);
    expect(visible(disk)).toEqual({});
    await checkpoint(store);
    expect(pressure.bytes).toBe(0);
    expect(Object.values(visible(disk))).toEqual(['0\n', '1\n', '2\n', '3\n', '4\n']);
  });

  it('that are lost are told, and so are open ones', async () => {
    for (const rollBytes of [1, 1e9]) {
      const { store } = setUp(rollBytes);
      write(store, 'dt=1', 'line');
      const barrier = store.barrier();
      await barrier.persist();
      const another = setUp();
      await expect(another.store.restore(barrier.state)).rejects.toMatchObject({ code: 'OUTPUT_LOST' });
    }
  });
});

it('a write that failed fails the barrier, and nothing after it counts as durable', async () => {
  const disk = new SimulatedDisk();
  let appends = 0;
  const mounted = disk.mount({ before: () => undefined }, () => false);
  const files: FileSystem = {
    ...mounted,
    openAt: async (path, length) => {
      const file = await mounted.openAt(path, length);
      const append = async (bytes: Uint8Array) => {
        if (++appends === 2) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        await file.append(bytes);
      };
      return { append, sync: file.sync, close: file.close };
    },
  };
  const nothing = () => undefined;
  const world: World = { files, clock: { now: () => 0 }, probe: nothing, sleep, random: Math.random, warn: nothing };
  const options = { folder: '/out', extension: 'txt', rollBytes: 1e9, rollAgeMs: 1e9, newRunID: 'run', limits };
  const failures: unknown[] = [];
  const store = new FilePartStore(world, new Pressure(), options, (error) => failures.push(error));
  for (const line of ['one', 'two', 'three']) write(store, 'dt=1', line);
  const barrier = store.barrier();
  await expect(barrier.persist()).rejects.toThrow('no space left');
  expect(failures[0]).toMatchObject({ code: 'STORAGE_FULL', exitCode: 1, retryable: true });
  expect(appends).toBe(2);
});
