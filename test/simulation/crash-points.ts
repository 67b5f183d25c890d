import type { CrashPoint } from '../../src/runtime/ports.ts';

/** Every named crash point; one that is missing here does not compile. */
const ALL_POINTS: Record<CrashPoint, true> = {
  'checkpoint:barrier-taken': true,
  'checkpoint:parts-synced': true,
  'checkpoint:file-written': true,
  'checkpoint:file-synced': true,
  'checkpoint:file-renamed': true,
  'checkpoint:committed': true,
  'compaction:base-renamed': true,
  'compaction:old-removed': true,
  'sink:part-opened': true,
  'sink:part-written': true,
  'sink:part-renamed': true,
  'sink:commit-synced': true,
  'recovery:leftovers-removed': true,
  'recovery:parts-restored': true,
};
export const CRASH_POINTS = Object.keys(ALL_POINTS) as CrashPoint[];
