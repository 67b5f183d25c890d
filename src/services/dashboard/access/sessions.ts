import { hkdfSync, randomUUID } from 'node:crypto';
import { EncryptJWT, jwtDecrypt } from 'jose';
import { LRUCache } from 'lru-cache';
import type { EpochMs } from '../../../base/time.ts';

/** Sessions that were ended by hand are remembered for as long as their cookie would still do; beyond so many, the oldest are not. */
const MOST_ENDED = 100_000;
/** Browsers take cookies of 4 KiB; names and company ids are bounded so that ours are smaller. */
const MOST_CHARACTERS = 4000;

/** What a cookie holds, besides its own id and end. */
export type Sealed = Readonly<Record<string, unknown>>;

export interface Opened {
  readonly id: string;
  readonly until: EpochMs;
  readonly content: Sealed;
}

/**
 * Cookies that say who signed in, encrypted and authenticated (A256GCM), so that nothing has to be kept here, and they outlive
 * a restart when the secret does.
 */
export class Sessions {
  readonly #key: Uint8Array;
  readonly #now: () => EpochMs;
  readonly #ended: LRUCache<string, true>;
  readonly #endings = new Map<string, Set<() => void>>();

  /** `belongsTo`: with another one, cookies of before are nobody's. */
  constructor(secret: string, belongsTo: string, now: () => EpochMs) {
    this.#key = new Uint8Array(hkdfSync('sha256', secret, '', `tenant-analytics ${belongsTo}`, 32));
    this.#now = now;
    this.#ended = new LRUCache({ max: MOST_ENDED, perf: { now } });
  }

  seal(purpose: string, content: Sealed, until: EpochMs): Promise<string> {
    return new EncryptJWT({ ...content })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setAudience(purpose)
      .setJti(randomUUID())
      .setExpirationTime(new Date(until))
      .encrypt(this.#key);
  }

  /** Undefined when it is none of ours, over, or was ended. */
  async open(purpose: string, sealed: string | undefined): Promise<Opened | undefined> {
    if (sealed === undefined || sealed.length > MOST_CHARACTERS) return undefined;
    try {
      const { payload } = await jwtDecrypt(sealed, this.#key, {
        audience: purpose,
        currentDate: new Date(this.#now()),
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
        requiredClaims: ['exp', 'jti'],
      });
      const { jti: id = '', exp = 0, ...content } = payload;
      return this.#ended.has(id) ? undefined : { id, until: exp * 1000, content };
    } catch {
      return undefined;
    }
  }

  /** From now on it is nobody's; what goes on for it ends. */
  end({ id, until }: Pick<Opened, 'id' | 'until'>): void {
    this.#ended.set(id, true, { ttl: Math.max(1, until - this.#now()) });
    for (const ending of this.#endings.get(id) ?? []) ending();
  }

  /** Calls back when the session is ended by hand; returns how to take that back. */
  onEnd(id: string, ending: () => void): () => void {
    const endings = this.#endings.get(id) ?? new Set();
    this.#endings.set(id, endings.add(ending));
    return () => {
      endings.delete(ending);
      if (endings.size === 0) this.#endings.delete(id);
    };
  }
}
