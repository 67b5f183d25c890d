import { backoffMs } from '../../base/backoff.ts';
import type { EpochMs } from '../../base/time.ts';
import type { AlertRecord } from './ledger.ts';
import type { Outcome, Target } from './target.ts';

/** The first wait is up to this long, and each later one up to twice the one before, up to the longest. */
const BACKOFF_FIRST_MS = 1000;
const BACKOFF_LONGEST_MS = 5 * 60_000;
/** So many failures in a row are no hiccup: a person is told. */
const OUTAGE_FAILURES = 3;

export interface DeliveryWorld {
  now(): EpochMs;
  /** In [0, 1). */
  random(): number;
  /** Something that a person should know. */
  warn(message: string): void;
}

/** What to do now: send this one, or look again after so long (at the latest). */
export type Step = { readonly send: AlertRecord } | { readonly waitMs: number };

interface Waiting {
  attempts: number;
  notBefore: EpochMs;
}

/**
 * One target: which alert is sent next, and when again after failures. One alert at a time, those of a tenant in order. One
 * that fails again and again holds up only its own tenant; while the target as a whole fails, all wait.
 */
export class Delivery {
  readonly target: Target;
  readonly #world: DeliveryWorld;
  readonly #waiting = new Map<number, Waiting>();
  #failures = 0;
  #pausedUntil: EpochMs = 0;
  #failingSince: EpochMs | undefined;
  #isTold = false;
  #toldRefusal = '';
  #problem = '';
  /** Attempts that failed since the start. */
  failedAttempts = 0;

  constructor(target: Target, world: DeliveryWorld) {
    this.target = target;
    this.#world = world;
  }

  /** Why it does not take alerts, and since when; undefined while it does. */
  get failing(): { readonly problem: string; readonly since: EpochMs } | undefined {
    return this.#failingSince === undefined ? undefined : { problem: this.#problem, since: this.#failingSince };
  }

  attemptsOf(id: number): number {
    return this.#waiting.get(id)?.attempts ?? 0;
  }

  isPending(record: AlertRecord): boolean {
    return record.settled[this.target.id] === undefined;
  }

  /** Of the open alerts, by id, those up to `durable` only: nothing is sent that a crash could make us forget. */
  next(open: ReadonlyMap<number, AlertRecord>, durable: number): Step {
    const now = this.#world.now();
    const waits = new Set<string>();
    let soonest = Number.POSITIVE_INFINITY;
    for (const record of open.values()) {
      if (record.id > durable) break;
      if (!this.isPending(record) || waits.has(record.companyID)) continue;
      const due = Math.max(this.#pausedUntil, this.#waiting.get(record.id)?.notBefore ?? 0);
      if (due <= now) return { send: record };
      soonest = Math.min(soonest, due);
      waits.add(record.companyID);
    }
    return { waitMs: soonest - now };
  }

  /** How the attempt ended; what to write down of it, or undefined when it is tried again. */
  ended(record: AlertRecord, outcome: Outcome): AlertRecord['settled'][string] | undefined {
    const now = this.#world.now();
    const attempts = this.attemptsOf(record.id) + 1;
    if (outcome.kind === 'failed') {
      this.#failed(record, attempts, outcome, now);
      return undefined;
    }
    this.#waiting.delete(record.id);
    this.#answered(now);
    if (outcome.kind === 'sent') {
      this.#toldRefusal = '';
      return { state: 'sent', at: now, attempts, problem: '' };
    }
    if (this.#toldRefusal !== outcome.problem) {
      this.#world.warn(
        `Alerts: ${this.target.name} refuses the alert of ${record.companyID}: ${outcome.problem}. It is kept among those that could not be delivered (tenant-analytics insights alerts). Mend the address or --alert-format, then start with --alert-refused: it is sent once more.`,
      );
    }
    this.#toldRefusal = outcome.problem;
    return { state: 'refused', at: now, attempts, problem: outcome.problem };
  }

  #failed(
    record: AlertRecord,
    attempts: number,
    { problem, retryAfterMs }: Extract<Outcome, { kind: 'failed' }>,
    now: EpochMs,
  ): void {
    const { random, warn } = this.#world;
    const jitter = (attempt: number) => backoffMs(random, attempt, BACKOFF_FIRST_MS, BACKOFF_LONGEST_MS);
    this.failedAttempts++;
    this.#pausedUntil = now + Math.max(jitter(this.#failures), retryAfterMs);
    this.#failures++;
    this.#problem = problem;
    this.#failingSince ??= now;
    this.#waiting.set(record.id, { attempts, notBefore: Math.max(this.#pausedUntil, now + jitter(attempts - 1)) });
    if (this.#failures < OUTAGE_FAILURES || this.#isTold) return;
    this.#isTold = true;
    warn(
      `Alerts: ${this.target.name} cannot be reached: ${problem}. Alerts wait, also over a restart, and are tried again.`,
    );
  }

  #answered(now: EpochMs): void {
    if (this.#isTold && this.#failingSince !== undefined) {
      const seconds = Math.round((now - this.#failingSince) / 1000);
      this.#world.warn(`Alerts: ${this.target.name} answers again, after ${seconds} s.`);
    }
    this.#failures = 0;
    this.#failingSince = undefined;
    this.#isTold = false;
  }
}
