import { effect, type Signal, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type {
  AlertsAnswer,
  InsightAnswer,
  InsightName,
  InsightQuery,
  PipelineAnswer,
} from '../../../src/services/dashboard/insights-schema.ts';
import { pulse } from './feed.ts';
import { leave, mayAsk } from './viewer.ts';

type Name = InsightName | 'pipeline' | 'alerts';
type Answer<N extends Name> = N extends InsightName
  ? InsightAnswer<N>
  : N extends 'alerts'
    ? AlertsAnswer
    : PipelineAnswer;
type Query<N extends Name> = N extends InsightName ? Partial<InsightQuery<N>> : Record<string, never>;

/** An answer stays while a newer one is asked for, and when that fails: `failure` then says why it is old. */
export interface Insight<N extends Name> {
  readonly answer: Answer<N> | undefined;
  readonly failure: Failure | undefined;
}

export interface Failure {
  /** Of the HTTP answer; undefined: there was none. */
  readonly status: number | undefined;
  readonly message: string;
}

interface Held {
  readonly url: string;
  readonly state: Signal<Insight<Name>>;
  readers: number;
  askedAt: number;
  call: AbortController | undefined;
  /** Rows came while the call was under way: its answer may be of before them. */
  isBehind: boolean;
}

const MOST_HELD = 100;
const PATIENCE_MS = 15_000;
/** Younger than this, an answer serves a view that is opened without being asked for again. */
const FRESH_MS = 2000;

const held = new Map<string, Held>();

effect(() => {
  if (pulse.value === 0) return;
  for (const each of held.values()) {
    if (each.readers === 0) continue;
    each.isBehind = each.call !== undefined;
    void ask(each);
  }
});

const NOTHING: Insight<Name> = { answer: undefined, failure: undefined };

/**
 * The numbers of one insight, kept up to date while the component stands. Components that ask the same share a call. Without
 * `isAsked` nothing is asked: not all may ask everything. `everyMs`: it changes without a row that comes; asked again so
 * often while the page is seen.
 */
export function useInsight<N extends Name>(name: N, query?: Query<N>, isAsked = true, everyMs?: number): Insight<N> {
  const entry = isAsked ? hold(addressOf(name, query ?? {})) : undefined;
  useEffect(() => {
    if (entry === undefined) return;
    entry.readers++;
    if (Date.now() - entry.askedAt > FRESH_MS) void ask(entry);
    const again = everyMs === undefined ? undefined : setInterval(() => !document.hidden && void ask(entry), everyMs);
    return () => {
      clearInterval(again);
      entry.readers--;
      if (entry.readers === 0) giveUp(entry);
    };
  }, [entry, everyMs]);
  return (entry?.state.value ?? NOTHING) as Insight<N>;
}

function addressOf(name: string, query: object): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  return `api/insights/${name}${text === '' ? '' : `?${text}`}`;
}

function hold(url: string): Held {
  const known = held.get(url);
  // What was used last stands last, and goes last.
  held.delete(url);
  const entry = known ?? {
    url,
    state: signal<Insight<Name>>({ answer: undefined, failure: undefined }),
    readers: 0,
    askedAt: 0,
    call: undefined,
    isBehind: false,
  };
  held.set(url, entry);
  for (const [other, { readers }] of held) {
    if (held.size <= MOST_HELD) break;
    if (readers === 0 && other !== url) held.delete(other);
  }
  return entry;
}

async function ask(entry: Held): Promise<void> {
  // A slow service is not asked twice at a time.
  if (entry.call !== undefined || !mayAsk()) return;
  const call = new AbortController();
  entry.call = call;
  entry.askedAt = Date.now();
  try {
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(PATIENCE_MS)]);
    const response = await fetch(entry.url, { signal, headers: { accept: 'application/json' } });
    if (response.ok) {
      entry.state.value = { answer: (await response.json()) as Answer<Name>, failure: undefined };
    } else if (response.status === 401) {
      leave();
    } else {
      const problem = (await response.json().catch(() => ({}))) as { readonly message?: string };
      fail(entry, { status: response.status, message: problem.message ?? `the service answered ${response.status}` });
    }
  } catch {
    if (!call.signal.aborted) fail(entry, { status: undefined, message: 'the service does not answer' });
  } finally {
    if (entry.call === call) {
      entry.call = undefined;
      if (entry.isBehind && entry.readers > 0) void ask(entry);
      entry.isBehind = false;
    }
  }
}

/** At once: who reads it in the next moment asks anew. */
function giveUp(entry: Held): void {
  if (entry.call === undefined) return;
  entry.call.abort();
  entry.call = undefined;
  entry.isBehind = false;
  entry.askedAt = 0;
}

function fail(entry: Held, failure: Failure): void {
  entry.state.value = { answer: entry.state.value.answer, failure };
}
