import { sleep } from '../../base/sleep.ts';
import { nodeFileSystem } from '../../connectors/file/node-file-system.ts';
import type { World } from '../../runtime/ports.ts';

/** This machine: its files, its clock and its chance. */
export function nodeWorld(warn: (message: string) => void): World {
  return { files: nodeFileSystem, clock: { now: Date.now }, probe: () => undefined, sleep, random: Math.random, warn };
}
