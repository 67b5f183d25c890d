import type { EpochMs } from '../base/time.ts';
import type { CallFailure } from './contract.ts';
import type { World } from './ports.ts';

/** How often a service that refuses single calls is told of. */
const REFUSALS_EVERY_MS = 60_000;

/**
 * Tells a person how a service is doing: once when it cannot be asked any more, once when it answers again; and of calls
 * that it refuses (a wrong key, a body it does not understand, an answer that is none) once a minute, with their number.
 */
export class ServiceNews {
  readonly #service: string;
  readonly #world: Pick<World, 'clock' | 'warn'>;
  #isOut = false;
  #refusals = 0;
  #nextTelling: EpochMs = Number.NEGATIVE_INFINITY;

  constructor(service: string, world: Pick<World, 'clock' | 'warn'>) {
    this.#service = service;
    this.#world = world;
  }

  answered(): void {
    if (this.#isOut) this.#world.warn(`${this.#service} answers again.`);
    this.#isOut = false;
  }

  failed(failure: CallFailure): void {
    if (isRefusal(failure)) this.#refused(failure);
    else this.#out(failure);
  }

  #out({ message }: CallFailure): void {
    if (this.#isOut) return;
    this.#isOut = true;
    this.#world.warn(
      `${this.#service} cannot be asked: ${message}. What needs it waits, or goes on without; trying again.`,
    );
  }

  #refused({ message }: CallFailure): void {
    this.#refusals++;
    const now = this.#world.clock.now();
    if (now < this.#nextTelling) return;
    this.#nextTelling = now + REFUSALS_EVERY_MS;
    this.#world.warn(
      `${this.#service} refuses calls (${this.#refusals} so far): ${message}. Look at its URL, key and token, and at its log.`,
    );
  }
}

/** It answered, but not with what was asked for. */
function isRefusal({ kind, status }: CallFailure): boolean {
  if (kind === 'not-an-answer') return true;
  return kind === 'status' && status !== null && status !== 429 && status < 500;
}
