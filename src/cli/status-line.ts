import type { Running, RunStatus } from '../hosts/node/run.ts';
import { grouped } from './output.ts';

type Watched = Pick<Running, 'status' | 'counters'>;

export interface Clock {
  now(): number;
}

/** How a live run is doing, as one line; rates are those since the line before. */
export function statusLine(engine: Watched, clock: Clock): () => string {
  let before = { at: clock.now(), jobs: engine.counters['records.jobs'] ?? 0 };
  return () => {
    const now = { at: clock.now(), jobs: engine.counters['records.jobs'] ?? 0 };
    const rate = ((now.jobs - before.jobs) * 1000) / Math.max(1, now.at - before.at);
    before = now;
    const status = engine.status();
    return [
      `job events ${grouped(now.jobs)} (${rate.toFixed(1)}/s)`,
      `rows ${grouped(engine.counters['rows.rows'] ?? 0)}`,
      `dead letters ${grouped(deadLetters(engine.counters))}`,
      `behind ${lagText(status)}`,
      `checkpoint ${ageText(status.lastCheckpoint?.at, now.at)}`,
      ...status.services.map(serviceText),
    ].join(' · ');
  };
}

function deadLetters(counters: Readonly<Record<string, number>>): number {
  let all = 0;
  for (const [name, count] of Object.entries(counters)) if (name.startsWith('dead-letters.')) all += count;
  return all;
}

/** The shard that is furthest behind. */
function lagText({ partitions }: RunStatus): string {
  const most = Math.max(0, ...partitions.map(({ millisBehindLatest }) => millisBehindLatest));
  return most < 1000 ? `${most} ms` : `${(most / 1000).toFixed(1)} s`;
}

function ageText(at: number | undefined, now: number): string {
  return at === undefined ? 'none yet' : `${((now - at) / 1000).toFixed(1)} s ago`;
}

function serviceText({ service, breaker, sent, failures, held, toAskAgain }: RunStatus['services'][number]): string {
  const waiting = held + toAskAgain > 0 ? `, ${grouped(held + toAskAgain)} waiting` : '';
  const state = breaker === 'closed' ? '' : `, breaker ${breaker}`;
  return `${service} ${grouped(sent)} calls${failures > 0 ? `, ${grouped(failures)} failed` : ''}${waiting}${state}`;
}
