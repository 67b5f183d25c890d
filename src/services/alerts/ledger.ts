import { z } from 'zod';
import { TenantAnalyticsError } from '../../base/errors.ts';
import type { EpochMs } from '../../base/time.ts';
import { alertSchema } from './alert.ts';
import { newTenant, type Tenant, tenantSchema } from './tenant.ts';

/** How one target ended with one alert. */
const settledSchema = z.object({
  state: z.enum(['sent', 'refused']),
  at: z.number(),
  attempts: z.int(),
  problem: z.string(),
});

/** An alert, and which targets are done with it, by their ids. */
const recordSchema = z.object({
  ...alertSchema.shape,
  /** Some target is not. */
  isOpen: z.boolean(),
  settled: z.record(z.string(), settledSchema),
});
export type AlertRecord = z.infer<typeof recordSchema>;

const bodySchema = z.object({
  format: z.literal(1),
  /** When alerts were first switched on: nothing older is told. */
  since: z.number(),
  nextID: z.int(),
  sent: z.int(),
  refused: z.int(),
  merged: z.int(),
});
type Body = z.infer<typeof bodySchema>;

export type Entry = readonly [key: string, text: string | null];

/** JSON texts by key; null: removed. */
export interface LedgerChanges {
  readonly body: unknown;
  readonly tenants: readonly Entry[];
  readonly alerts: readonly Entry[];
}

/** Where the ledger is kept. */
export interface LedgerStore {
  /** All as of the last commit; undefined when there never was one. */
  open(): Promise<LedgerChanges | undefined>;
  /** Once it resolves the changes are durable, all of them; until then none may be. One call at a time. */
  commit(changes: LedgerChanges): Promise<void>;
}

/** Alerts that every target is done with, kept to be looked at: those that all took, and those that one refused. */
const KEPT_SENT = 200;
const KEPT_REFUSED = 1000;

/**
 * What alerts must not forget. Changes are made in memory and marked; `commit` makes all of them durable at once, so that
 * what belongs together (a flip that was taken, the alert it became) is never torn.
 */
export class Ledger {
  readonly #store: LedgerStore;
  readonly #body: Body;
  readonly #tenants = new Map<string, Tenant>();
  /** By id, in order. */
  readonly #open = new Map<number, AlertRecord>();
  readonly #sent: AlertRecord[] = [];
  readonly #refused: AlertRecord[] = [];
  #changedTenants = new Set<string>();
  #changedAlerts = new Map<number, AlertRecord | null>();
  #under: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  private constructor(store: LedgerStore, body: Body) {
    this.#store = store;
    this.#body = body;
  }

  /**
   * A first start is marked durably: only what happens after it is told.
   * @throws TenantAnalyticsError STATE_MISMATCH when what is stored is nothing this program wrote
   */
  static async open(store: LedgerStore, now: EpochMs): Promise<Ledger> {
    const stored = await store.open();
    if (stored === undefined) {
      const ledger = new Ledger(store, { format: 1, since: now, nextID: 1, sent: 0, refused: 0, merged: 0 });
      await store.commit({ body: ledger.#body, tenants: [], alerts: [] });
      return ledger;
    }
    try {
      const ledger = new Ledger(store, bodySchema.parse(stored.body));
      for (const [key, text] of stored.tenants) ledger.#tenants.set(key, tenantSchema.parse(JSON.parse(text ?? '')));
      const records = stored.alerts.map(([, text]) => recordSchema.parse(JSON.parse(text ?? '')));
      for (const record of records.sort((one, other) => one.id - other.id)) ledger.#place(record);
      return ledger;
    } catch (error) {
      throw new TenantAnalyticsError(
        'STATE_MISMATCH',
        'The state of the alerts was written by another version of this program. Run that one, or remove the folder of the alerts: then only what happens from now on is told.',
        { cause: error },
      );
    }
  }

  get totals(): Readonly<Omit<Body, 'format' | 'nextID'>> {
    return this.#body;
  }

  get open(): ReadonlyMap<number, AlertRecord> {
    return this.#open;
  }

  /** Those that every target is done with, oldest first. */
  get settled(): readonly AlertRecord[] {
    return [...this.#sent, ...this.#refused].sort((one, other) => one.id - other.id);
  }

  get tenants(): ReadonlyMap<string, Tenant> {
    return this.#tenants;
  }

  get isChanged(): boolean {
    return this.#changedTenants.size > 0 || this.#changedAlerts.size > 0;
  }

  /** Of the last alert that was raised. */
  get lastID(): number {
    return this.#body.nextID - 1;
  }

  tenant(companyID: string): Tenant {
    const known = this.#tenants.get(companyID);
    if (known !== undefined) return known;
    const made = newTenant();
    this.#tenants.set(companyID, made);
    return made;
  }

  tenantChanged(companyID: string, merged: number): void {
    this.#body.merged += merged;
    this.#changedTenants.add(companyID);
  }

  raise(alert: Omit<AlertRecord, 'id' | 'isOpen' | 'settled'>): void {
    const record = { ...alert, id: this.#body.nextID++, isOpen: true, settled: {} };
    this.#open.set(record.id, record);
    this.#changedAlerts.set(record.id, record);
  }

  settle(record: AlertRecord, target: string, how: AlertRecord['settled'][string]): void {
    record.settled[target] = how;
    this.#body[how.state]++;
    this.#changedAlerts.set(record.id, record);
  }

  /** What targets refused is open again, in its place; how many deliveries that are. What is kept no more stays forgotten. */
  reopenRefused(): number {
    const before = this.#body.refused;
    for (const record of this.#refused) {
      for (const [target, { state }] of Object.entries(record.settled)) {
        if (state !== 'refused') continue;
        delete record.settled[target];
        this.#body.refused--;
      }
      record.isOpen = true;
      this.#changedAlerts.set(record.id, record);
    }
    const all = [...this.#open.values(), ...this.#refused.splice(0)].sort((one, other) => one.id - other.id);
    this.#open.clear();
    for (const record of all) this.#open.set(record.id, record);
    return before - this.#body.refused;
  }

  /** Every target is done with it. */
  close(record: AlertRecord): void {
    this.#open.delete(record.id);
    record.isOpen = false;
    this.#changedAlerts.set(record.id, record);
    this.#place(record);
  }

  /** Resolves once all changes made before are durable. After a failure they are part of the next one. */
  commit(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    const next = this.#under.then(() => {
      this.#next = undefined;
      return this.#write();
    });
    this.#next = next;
    this.#under = next.catch(() => undefined);
    return next;
  }

  async #write(): Promise<void> {
    if (!this.isChanged) return;
    const [tenants, alerts] = [this.#changedTenants, this.#changedAlerts];
    this.#changedTenants = new Set();
    this.#changedAlerts = new Map();
    try {
      await this.#store.commit({
        body: { ...this.#body },
        tenants: [...tenants].map((id) => [id, JSON.stringify(this.#tenants.get(id))]),
        alerts: [...alerts].map(([id, record]) => [String(id), record === null ? null : JSON.stringify(record)]),
      });
    } catch (error) {
      for (const id of tenants) this.#changedTenants.add(id);
      this.#changedAlerts = new Map([...alerts, ...this.#changedAlerts]);
      throw error;
    }
  }

  #place(record: AlertRecord): void {
    if (record.isOpen) {
      this.#open.set(record.id, record);
      return;
    }
    const wasRefused = Object.values(record.settled).some(({ state }) => state === 'refused');
    const [kept, most] = wasRefused ? [this.#refused, KEPT_REFUSED] : [this.#sent, KEPT_SENT];
    kept.push(record);
    for (const forgotten of kept.splice(0, Math.max(0, kept.length - most))) {
      this.#changedAlerts.set(forgotten.id, null);
    }
  }
}
