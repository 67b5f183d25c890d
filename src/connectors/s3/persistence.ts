import { backoffMs } from '../../base/backoff.ts';
import { TenantAnalyticsError } from '../../base/errors.ts';
import type { World } from '../../runtime/ports.ts';
import { mendingOf, S3Failure, type S3FailureKind } from './s3-failure.ts';

/** The first wait is up to this long, and each later one up to twice the one before, up to the longest. */
const BACKOFF_FIRST_MS = 200;
const BACKOFF_LONGEST_MS = 30_000;
/** So many failures in a row are no hiccup. */
const OUTAGE_FAILURES = 3;

/** Whether to give up after this many failures of one call. */
export type GivesUp = (failure: S3Failure, failures: number) => boolean;

/** What a person is told of an outage. */
export interface OutageTexts {
  readonly refused: (place: string, failure: S3Failure) => string;
  readonly away: (place: string, failure: S3Failure) => string;
  readonly over: (place: string) => string;
}

const ROWS_TO_S3: OutageTexts = {
  refused: (place, failure) =>
    `${place} refuses rows: ${failure.message}. ${mendingOf(failure)} Until then rows wait on this machine, and no more are made once they fill their space; nothing is lost.`,
  away: (place, failure) =>
    `${place} takes no rows: ${failure.message}. They wait on this machine, and are sent as soon as it does.`,
  over: (place) => `${place} takes rows again.`,
};

/**
 * Calls that are repeated until S3 takes them, with exponential back-off and full jitter. A person is told once when an
 * outage begins, once more when it turns out to be one that only a person can end, and once when it is over.
 */
export class Persistence {
  readonly #world: Pick<World, 'random' | 'sleep' | 'warn'>;
  readonly #place: string;
  readonly #signal: AbortSignal;
  readonly #texts: OutageTexts;
  /** Over all calls, since the last one that succeeded. */
  #failures = 0;
  #told: S3FailureKind | undefined;

  constructor(
    world: Pick<World, 'random' | 'sleep' | 'warn'>,
    place: string,
    signal: AbortSignal,
    texts: OutageTexts = ROWS_TO_S3,
  ) {
    this.#world = world;
    this.#place = place;
    this.#signal = signal;
    this.#texts = texts;
  }

  /**
   * @throws S3Failure when it gives up; TenantAnalyticsError STOPPED once the signal is aborted; whatever else `work`
   *   throws, at once
   */
  async call<T>(work: () => Promise<T>, givesUp: GivesUp = () => false): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        const result = await work();
        this.#succeeded();
        return result;
      } catch (error) {
        if (this.#signal.aborted) throw new TenantAnalyticsError('STOPPED', 'the run is over', { cause: error });
        if (!(error instanceof S3Failure) || givesUp(error, failures)) throw error;
        this.#failed(error);
      }
      const { random, sleep } = this.#world;
      await sleep(backoffMs(random, failures - 1, BACKOFF_FIRST_MS, BACKOFF_LONGEST_MS), this.#signal);
    }
  }

  #succeeded(): void {
    this.#failures = 0;
    if (this.#told === undefined) return;
    this.#told = undefined;
    this.#world.warn(this.#texts.over(this.#place));
  }

  #failed(failure: S3Failure): void {
    this.#failures++;
    if (failure.kind === 'refused') {
      if (this.#told === 'refused') return;
      this.#told = 'refused';
      this.#world.warn(this.#texts.refused(this.#place, failure));
    } else if (this.#told === undefined && this.#failures >= OUTAGE_FAILURES) {
      this.#told = failure.kind;
      this.#world.warn(this.#texts.away(this.#place, failure));
    }
  }
}
