import type { Random } from '../../src/base/random.ts';
import type { HttpRequest, HttpResponse } from '../../src/runtime/contract.ts';
import { type HttpTransport, TransportFailure } from '../../src/runtime/ports.ts';
import type { World, WorldRecord } from '../model/arbitraries.ts';

/** A score that is a function of the features alone, as the contract asks. */
export function churnOf(features: { readonly job30: number; readonly job90: number }): boolean {
  return (features.job30 + features.job90) % 3 === 0;
}

/**
 * TenantManager, knowing what the last company record of a world says, and churn scoring; both fail as often as they are
 * told to, in all the ways that may be tried again.
 */
export class SimulatedServices implements HttpTransport {
  readonly #records: ReadonlyMap<string, WorldRecord>;
  readonly #random: Random;
  readonly #failureChance: number;
  readonly #isDead: () => boolean;
  sent = 0;

  constructor(world: World, random: Random, failureChance: number, isDead: () => boolean) {
    this.#records = knownRecords(world);
    this.#random = random;
    this.#failureChance = failureChance;
    this.#isDead = isDead;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    this.sent++;
    for (let turns = Math.floor(this.#random() * 40); turns > 0; turns--) await Promise.resolve();
    if (this.#isDead()) return new Promise(() => undefined);
    if (this.#random() < this.#failureChance) return this.#fail();
    const tenant = /\/api\/v1\/tenants\/(.*)$/.exec(request.url)?.[1];
    if (tenant === undefined) return response(200, { churn: churnOf(JSON.parse(request.body ?? '')) });
    const record = this.#records.get(decodeURIComponent(tenant));
    return record === undefined ? response(404, { message: 'no such tenant' }) : response(200, record);
  }

  #fail(): HttpResponse {
    const kind = this.#random();
    if (kind < 0.3) throw new TransportFailure('connection', 'ECONNRESET');
    if (kind < 0.5) throw new TransportFailure('timeout', 'no answer');
    return kind < 0.7 ? response(429, {}, { 'retry-after': '1' }) : response(503, {});
  }

  async close(): Promise<void> {}
}

function response(status: number, body: unknown, headers: Record<string, string> = {}): HttpResponse {
  return { status, headers, body: JSON.stringify(body), receivedAt: 0 };
}

/** What is known of each company once all records of the world were read: the newest, unless it is a deletion. */
function knownRecords(world: World): Map<string, WorldRecord> {
  const latest = new Map<string, WorldRecord>();
  for (const record of world.companies) {
    const known = latest.get(record.companyID);
    const isStale =
      known !== undefined &&
      (record.updatedAt < known.updatedAt || (known.deleted && record.updatedAt === known.updatedAt));
    if (!isStale) latest.set(record.companyID, record);
  }
  return new Map([...latest].filter(([, record]) => record.deleted !== true));
}
