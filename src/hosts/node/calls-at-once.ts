import type { Graph } from '../../runtime/contract.ts';

/** How many calls all HTTP stages together may have in flight: services may share one origin. */
export function callsAtOnce({ stages }: Graph): number {
  const all = stages.reduce((sum, stage) => sum + (stage.kind === 'http' ? stage.limits.concurrency : 0), 0);
  return Math.max(1, all);
}
