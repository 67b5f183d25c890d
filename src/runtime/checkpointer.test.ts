import { expect, test } from 'vitest';
import type { CheckpointStore } from './checkpoint-store.ts';
import { Checkpointer, type Cut } from './checkpointer.ts';
import type { World } from './ports.ts';

const HOUR_MS = 3_600_000;

test('a clock that is set back holds no checkpoint up: one is due at once, and then each interval', async () => {
  let now = 1_800_000_000_000;
  let committed = 0;
  const world = { clock: { now: () => now }, probe: () => undefined } as unknown as World;
  const store = { lastBytes: 1, commit: async () => void committed++ } as unknown as CheckpointStore;
  const cut = (): Cut => ({ body: { count: committed } as unknown as Cut['body'], changes: [] });
  const options = { intervalMs: 1000, full: false, streams: new Map(), cut };
  const checkpointer = new Checkpointer(world, store, new Map(), options);

  expect(checkpointer.isDue).toBe(true);
  await checkpointer.take(false);
  expect(checkpointer.isDue).toBe(false);
  now -= HOUR_MS;
  expect(checkpointer.isDue).toBe(true);
  await checkpointer.take(false);
  expect([committed, checkpointer.isDue]).toEqual([2, false]);
  now += 999;
  expect(checkpointer.isDue).toBe(false);
  now += 1;
  expect(checkpointer.isDue).toBe(true);
});
