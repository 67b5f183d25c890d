import { aborted, onAbort } from '../../base/abort.ts';
import { backoffMs } from '../../base/backoff.ts';
import type { EpochMs } from '../../base/time.ts';
import { databaseMessage } from './database.ts';
import type { Unsent } from './tenant-repository.ts';

/** Resolves once the companies stream accepted the record; rejects when it did not, or may not have. */
export type Publish = (partitionKey: string, data: Uint8Array) => Promise<void>;

export interface PublisherWorld {
  now(): EpochMs;
  /** Ends early, without an error, when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** In [0, 1). */
  random(): number;
  /** Something that goes on well, but that a person should know. */
  warn(message: string): void;
}

export interface OutboxStore {
  isPublisher(): Promise<boolean>;
  /** The oldest, in order. */
  unsent(limit: number): Promise<readonly Unsent[]>;
  sent(ids: readonly number[]): Promise<void>;
}

/** Changes of other processes on the same database are seen after so long at most; our own at once. */
const POLL_MS = 1000;
const AT_ONCE = 500;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_LONGEST_MS = 5000;
/** While another process publishes: how often is looked whether it does, and how long a record may wait until that is told. */
const OTHER_LOOK_MS = 10_000;
const OTHER_LATE_MS = 60_000;
/** How long records under way are waited for at the stop. */
const STOP_MS = 5000;

/**
 * Sends the outbox to the companies stream: each record at least once, those of one tenant one after the other, in order.
 * A record leaves the outbox only after it was accepted; so one that was accepted just before a crash is sent again, which
 * readers ignore: it is not newer than what they have.
 */
export class OutboxPublisher {
  readonly #store: OutboxStore;
  readonly #publish: Publish;
  readonly #world: PublisherWorld;
  #isPoked = false;
  #wake: () => void = () => undefined;
  /** While another process publishes: the oldest record in the outbox, and since when it is. */
  #waiting:
    | { readonly id: number | undefined; readonly since: EpochMs; lookedAt: EpochMs; isTold: boolean }
    | undefined;

  constructor(store: OutboxStore, publish: Publish, world: PublisherWorld) {
    this.#store = store;
    this.#publish = publish;
    this.#world = world;
  }

  /** There is something in the outbox. */
  poke(): void {
    this.#isPoked = true;
    this.#wake();
  }

  /** Until the signal is aborted, and what was under way was accepted; that is waited for a few seconds at most. */
  async run(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const sending = this.#sendAll(signal).finally(() => over.abort());
    await Promise.race([sending, this.#stopLimit(signal, over.signal)]);
    // What hangs beyond the limit may fail later, when nobody waits for it.
    sending.catch(() => undefined);
  }

  async #sendAll(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let failingSince: EpochMs | undefined;
    while (!signal.aborted) {
      this.#isPoked = false;
      try {
        const found = await this.#round(signal);
        if (failingSince !== undefined) {
          this.#world.warn(
            `Changes of tenants are published again, after ${seconds(this.#world.now() - failingSince)}.`,
          );
        }
        failures = 0;
        failingSince = undefined;
        if (found === 'nothing') await this.#rest(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (failingSince === undefined) {
          failingSince = this.#world.now();
          const why = databaseMessage(error);
          this.#world.warn(
            `Changes of tenants cannot be published: ${why}. They wait in the outbox, and are tried again.`,
          );
        }
        const { random, sleep } = this.#world;
        await sleep(backoffMs(random, failures++, BACKOFF_FIRST_MS, BACKOFF_LONGEST_MS), signal);
      }
    }
  }

  async #round(signal: AbortSignal): Promise<'nothing' | 'some'> {
    if (!(await this.#store.isPublisher())) {
      await this.#lookAfterOther();
      return 'nothing';
    }
    this.#waiting = undefined;
    const unsent = await this.#store.unsent(AT_ONCE);
    if (unsent.length === 0) return 'nothing';
    const accepted: number[] = [];
    const results = await Promise.allSettled(
      byTenant(unsent).map(async (records) => {
        for (const { id, companyID, record } of records) {
          if (signal.aborted) return;
          await this.#publish(companyID, encoder.encode(record));
          accepted.push(id);
        }
      }),
    );
    if (accepted.length > 0) await this.#store.sent(accepted);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    return 'some';
  }

  /** One process publishes for all: should it not, perhaps on a host that is lost, a person should know. */
  async #lookAfterOther(): Promise<void> {
    const now = this.#world.now();
    if (this.#waiting !== undefined && now - this.#waiting.lookedAt < OTHER_LOOK_MS) return;
    const [oldest] = await this.#store.unsent(1);
    if (oldest === undefined || oldest.id !== this.#waiting?.id) {
      this.#waiting = { id: oldest?.id, since: now, lookedAt: now, isTold: false };
      return;
    }
    this.#waiting.lookedAt = now;
    const { since, isTold } = this.#waiting;
    if (isTold || now - since < OTHER_LATE_MS) return;
    this.#waiting.isTold = true;
    this.#world.warn(
      `Changes of tenants have waited in the outbox for ${seconds(now - since)}: another process on this database is the one that publishes, and does not. Look at it; once its session at PostgreSQL ends, this one takes over.`,
    );
  }

  /** Waits for a change, or until it is time to look for those of others. */
  async #rest(signal: AbortSignal): Promise<void> {
    if (this.#isPoked) return;
    const early = new AbortController();
    this.#wake = () => early.abort();
    const takeBack = onAbort(signal, this.#wake);
    await this.#world.sleep(POLL_MS, early.signal);
    takeBack();
  }

  async #stopLimit(signal: AbortSignal, over: AbortSignal): Promise<void> {
    await aborted(signal);
    await this.#world.sleep(STOP_MS, over);
  }
}

const encoder = new TextEncoder();

function byTenant(unsent: readonly Unsent[]): readonly (readonly Unsent[])[] {
  const all = new Map<string, Unsent[]>();
  for (const each of unsent) {
    const those = all.get(each.companyID);
    if (those === undefined) all.set(each.companyID, [each]);
    else those.push(each);
  }
  return [...all.values()];
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
