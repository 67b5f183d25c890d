import { nodeFileSystem } from '../../connectors/file/node-file-system.ts';
import type { World } from '../../runtime/ports.ts';

/** This machine: its files and its clock. */
export function nodeWorld(warn: (message: string) => void): World {
  return { files: nodeFileSystem, clock: { now: Date.now }, probe: () => undefined, warn };
}
