import { signal } from '@preact/signals';
import type { CompanyNews, Flip, Status } from '../../../src/services/dashboard/insights-schema.ts';
import { askViewer, mayAsk, signOut } from './viewer.ts';

/** `paused`: nobody looks, or the reader stopped it. `lost`: the service does not answer; it is tried again. */
export type Connection = 'connecting' | 'live' | 'lost' | 'paused';

const MOST_KEPT = 200;
const SHOW_MS = 500;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;
/** Numbers are asked for at most so often, however much is going on. */
const PULSE_MS = 4000;
/** And at least so often: days end, and companies go silent, without an event. */
const IDLE_PULSE_MS = 20_000;

export const connection = signal<Connection>('connecting');
export const status = signal<Status | undefined>(undefined);
/** Newest first. */
export const companies = signal<readonly CompanyNews[]>([]);
export const flips = signal<readonly Flip[]>([]);
/** Grows when numbers should be asked for again. */
export const pulse = signal(0);
export const isPausedByReader = signal(false);

let source: EventSource | undefined;
let retry: ReturnType<typeof setTimeout> | undefined;
let retryMs = FIRST_RETRY_MS;
let due: ReturnType<typeof setTimeout> | undefined;
let pulsedAt = 0;
let wasOpen = false;
/** Not shown yet; newest first. */
let news: CompanyNews[] = [];
let showing: ReturnType<typeof setTimeout> | undefined;

export function startFeed(): void {
  document.addEventListener('visibilitychange', followReader);
  addEventListener('online', followReader);
  setInterval(() => {
    if (!document.hidden && Date.now() - pulsedAt >= IDLE_PULSE_MS) beat();
  }, IDLE_PULSE_MS / 4);
  followReader();
}

export function pauseFeed(paused: boolean): void {
  isPausedByReader.value = paused;
  followReader();
}

/** Asks for all numbers anew, and connects now if it is waiting to. */
export function tryAgain(): void {
  retryMs = FIRST_RETRY_MS;
  if (source === undefined || connection.value === 'lost') close();
  followReader();
  beat();
}

/** The session is about to end, and with it all that is asked. */
export function endWithSession(): void {
  signOut();
  followReader();
}

function followReader(): void {
  if (document.hidden || isPausedByReader.value || !mayAsk()) {
    close();
    connection.value = 'paused';
  } else if (source === undefined) {
    open();
  }
}

function open(): void {
  close();
  if (connection.value !== 'lost') connection.value = 'connecting';
  source = new EventSource('api/feed');
  source.addEventListener('open', () => {
    retryMs = FIRST_RETRY_MS;
    connection.value = 'live';
    // It may be somebody else's by now.
    if (wasOpen) void askViewer();
    if (wasOpen) beat();
    wasOpen = true;
  });
  source.addEventListener('error', () => {
    connection.value = 'lost';
    // It comes back by itself, and says what it has heard; but not after an answer that is no stream, as a proxy gives
    // one for a service that is down.
    if (source?.readyState !== EventSource.CLOSED) return;
    close();
    // Or it is nobody's any more.
    void askViewer();
    retry = setTimeout(followReader, retryMs);
    retryMs = Math.min(LONGEST_RETRY_MS, retryMs * 2);
  });
  source.addEventListener('status', (event) => {
    const before = status.value?.rows;
    status.value = JSON.parse(event.data) as Status;
    if (before !== status.value.rows) beatSoon();
  });
  source.addEventListener('company', (event) => {
    news.unshift(JSON.parse(event.data) as CompanyNews);
    if (showing === undefined) showing = setTimeout(show, SHOW_MS);
    beatSoon();
  });
  source.addEventListener('flip', (event) => {
    const flip = JSON.parse(event.data) as Flip;
    const rest = flips.value.filter((each) => keyOf(each) !== keyOf(flip));
    flips.value = [flip, ...rest].slice(0, MOST_KEPT);
    beatSoon();
  });
}

/** What came is shown together, so that one can read it while much is going on. */
function show(): void {
  showing = undefined;
  const fresh = new Set(news.map(keyOf));
  const rest = companies.value.filter((each) => !fresh.has(keyOf(each)));
  companies.value = [...news, ...rest].slice(0, MOST_KEPT);
  news = [];
}

export function keyOf({ companyID, version }: Pick<Flip, 'companyID' | 'version'>): string {
  return `${companyID} ${version}`;
}

function close(): void {
  clearTimeout(retry);
  source?.close();
  source = undefined;
}

function beat(): void {
  clearTimeout(due);
  due = undefined;
  pulsedAt = Date.now();
  pulse.value++;
}

function beatSoon(): void {
  due ??= setTimeout(beat, Math.max(0, pulsedAt + PULSE_MS - Date.now()));
}
