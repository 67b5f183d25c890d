import type { Random } from '../../base/random.ts';
import { type JobRecord, type JobShares, jobRecord } from './records.ts';
import { dueAfter, type ShapeOptions } from './shape.ts';
import type { TenantLife } from './tenant-life.ts';

export interface LiveOptions extends ShapeOptions, JobShares {
  /** The event carries its time, rather than taking that of its arrival. */
  readonly withCreationDate: boolean;
  readonly historyDays: number;
}

/** How busy tenants are is looked at so often in a day. */
const LOOKS_A_DAY = 20;

/**
 * The job events of tenants at work, one after the other. What they are and when they are due follows from the options, the
 * tenants and the random numbers alone: who sends them may be late, and sends the same.
 */
export class LiveEvents {
  readonly #tenants: readonly TenantLife[];
  readonly #options: LiveOptions;
  readonly #random: Random;
  /** The sum of how busy the tenants up to each one are. */
  readonly #busyUpTo: Float64Array;
  #look = Number.NaN;
  #due: number;

  /** @param from milliseconds since the simulation began */
  constructor(tenants: readonly TenantLife[], options: LiveOptions, random: Random, from: number) {
    this.#tenants = tenants;
    this.#options = options;
    this.#random = random;
    this.#busyUpTo = new Float64Array(tenants.length);
    this.#due = dueAfter(from, options);
  }

  /** When the next event is due, in milliseconds since the simulation began. */
  get due(): number {
    return this.#due;
  }

  /** Events due before are not made. */
  skipTo(at: number): void {
    this.#due = Math.max(this.#due, at);
  }

  /** The event that is due next; undefined when all tenants are gone: none comes back. */
  next(): JobRecord | undefined {
    const tenant = this.#nextTenant();
    if (tenant === undefined) return undefined;
    const nbJobs = 1 + Math.floor(this.#random() ** 3 * 5);
    const { since, withCreationDate } = this.#options;
    const time = withCreationDate ? Math.floor(since + this.#due) : null;
    const record = jobRecord(tenant, nbJobs, time, this.#options, this.#random);
    this.#due = dueAfter(this.#due, this.#options);
    return record;
  }

  #nextTenant(): TenantLife | undefined {
    const { historyDays, dayMs } = this.#options;
    const look = Math.floor((this.#due / dayMs) * LOOKS_A_DAY);
    if (look !== this.#look) this.#lookAt(historyDays + look / LOOKS_A_DAY);
    this.#look = look;
    const total = this.#busyUpTo.at(-1) ?? 0;
    if (!(total > 0)) return undefined;
    const at = this.#random() * total;
    let low = 0;
    let high = this.#tenants.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#busyUpTo[middle] ?? 0) > at) high = middle;
      else low = middle + 1;
    }
    return this.#tenants[low];
  }

  #lookAt(day: number): void {
    let total = 0;
    for (const [index, tenant] of this.#tenants.entries()) {
      total += tenant.activity(day);
      this.#busyUpTo[index] = total;
    }
  }
}
