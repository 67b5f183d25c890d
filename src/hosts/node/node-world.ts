import { sleep } from '../../base/sleep.ts';
import { nodeFileSystem } from '../../connectors/file/node-file-system.ts';
import type { Observation } from '../../observe/observation.ts';
import type { World } from '../../runtime/ports.ts';

/** The engine's world, and how what runs in it is looked at; without an observation nothing but warnings is told. */
export interface HostWorld extends World {
  readonly observation?: Observation;
}

/** This machine: its files, its clock and its chance. */
export function nodeWorld(warn: (message: string) => void, observation?: Observation): HostWorld {
  const world = { files: nodeFileSystem, clock: { now: Date.now }, probe: () => undefined, sleep, random: Math.random };
  return { ...world, warn, ...(observation === undefined ? {} : { observation }) };
}
