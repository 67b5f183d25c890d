import { and, asc, eq, inArray, type SQL } from 'drizzle-orm';
import type { EpochMs } from '../../base/time.ts';
import type { TenantDatabase } from './database.ts';
import { type Db, outbox, seeding, tenants } from './schema.ts';
import type { Tenant } from './seed-companies.ts';

/** What a user states of a tenant. */
export type TenantFields = Omit<Tenant, 'companyID' | 'updatedAt'>;

export interface Page {
  readonly limit: number;
  readonly offset: number;
  /** In any case; all when left out. */
  readonly industry?: string | undefined;
}

/** Whether the tenant that a user changes is the one that was looked at. */
export type IsCurrent = (updatedAt: EpochMs) => boolean;

export type Change =
  | { readonly kind: 'done'; readonly tenant: Tenant }
  | { readonly kind: 'unknown' | 'exists' }
  | { readonly kind: 'stale'; readonly updatedAt: EpochMs };

/** A record that the companies stream has not accepted yet. */
export interface Unsent {
  readonly id: number;
  readonly companyID: string;
  /** JSON. */
  readonly record: string;
}

const SEEDED_AT_ONCE = 500;

/**
 * The tenants. Each change and its record in the outbox are one transaction, made while the tenant's row is locked: so the
 * records of one tenant get their ids, and become visible, in the order of its changes.
 *
 * `updatedAt` grows with each change of a tenant, also when the clock goes back, and over its deletion.
 */
export class TenantRepository {
  readonly #db: Db;
  readonly #now: () => EpochMs;
  readonly #changed: () => void;

  /** `changed` is called after each commit that left something in the outbox. */
  constructor({ db }: Pick<TenantDatabase, 'db'>, now: () => EpochMs, changed: () => void) {
    this.#db = db;
    this.#now = now;
    this.#changed = changed;
  }

  async find(companyID: string): Promise<Tenant | undefined> {
    if (!canBeStored(companyID)) return undefined;
    const [row] = await this.#db.select().from(tenants).where(is(companyID));
    return row === undefined || row.deleted ? undefined : tenantOf(row);
  }

  /** In the order in which they were made; `total` is that of all pages. */
  async page({ limit, offset, industry }: Page): Promise<{ tenants: Tenant[]; total: number }> {
    const those = ofIndustry(industry);
    if (those === undefined) return { tenants: [], total: 0 };
    // One view of the tenants: the page fits its total.
    const view = { isolationLevel: 'repeatable read', accessMode: 'read only' } as const;
    return this.#db.transaction(async (tx) => {
      const rows = await tx
        .select()
        .from(tenants)
        .where(those)
        .orderBy(asc(tenants.number))
        .limit(limit)
        .offset(offset);
      return { tenants: rows.map(tenantOf), total: await tx.$count(tenants, those) };
    }, view);
  }

  async count(industry?: string): Promise<number> {
    const those = ofIndustry(industry);
    return those === undefined ? 0 : this.#db.$count(tenants, those);
  }

  async create(companyID: string, fields: TenantFields): Promise<Change> {
    return this.#change(async (tx) => {
      const columns = { ...columnsOf(fields), deleted: false };
      const [made] = await tx
        .insert(tenants)
        .values({ companyID, ...columns, updatedAt: this.#now() })
        .onConflictDoNothing()
        .returning();
      if (made !== undefined) return made;
      const before = await locked(tx, companyID);
      if (before?.deleted !== true) return { kind: 'exists' };
      return updated(tx, companyID, { ...columns, updatedAt: this.#after(before) });
    });
  }

  /** `stale`: the tenant is not the one that the user looked at, and was left as it is. */
  async replace(companyID: string, fields: TenantFields, isCurrent: IsCurrent): Promise<Change> {
    if (!canBeStored(companyID)) return { kind: 'unknown' };
    return this.#change(async (tx) => {
      const before = await locked(tx, companyID);
      if (before === undefined || before.deleted) return { kind: 'unknown' };
      if (!isCurrent(before.updatedAt)) return { kind: 'stale', updatedAt: before.updatedAt };
      return updated(tx, companyID, { ...columnsOf(fields), updatedAt: this.#after(before) });
    });
  }

  /** Leaves nothing of the tenant but its id and time. */
  async remove(companyID: string, isCurrent: IsCurrent): Promise<Change> {
    if (!canBeStored(companyID)) return { kind: 'unknown' };
    return this.#change(async (tx) => {
      const before = await locked(tx, companyID);
      if (before === undefined || before.deleted) return { kind: 'unknown' };
      if (!isCurrent(before.updatedAt)) return { kind: 'stale', updatedAt: before.updatedAt };
      return updated(tx, companyID, { ...columnsOf(NOTHING), deleted: true, updatedAt: this.#after(before) });
    });
  }

  /** Writes the tenants at the first start of this database, and never again. Returns whether it was the first. */
  async seed(first: readonly Tenant[]): Promise<boolean> {
    const isFirst = await this.#db.transaction(async (tx) => {
      const marked = await tx.insert(seeding).values({ at: this.#now() }).onConflictDoNothing().returning();
      if (marked.length === 0) return false;
      for (let from = 0; from < first.length; from += SEEDED_AT_ONCE) {
        const some = first.slice(from, from + SEEDED_AT_ONCE);
        const rows = some.map((tenant) => ({
          companyID: tenant.companyID,
          ...columnsOf(tenant),
          updatedAt: Date.parse(tenant.updatedAt),
        }));
        await tx.insert(tenants).values(rows);
        await tx.insert(outbox).values(some.map((tenant) => entry(tenant.companyID, tenant)));
      }
      return true;
    });
    if (isFirst) this.#changed();
    return isFirst;
  }

  /** The oldest of the outbox, in order. */
  async unsent(limit: number): Promise<readonly Unsent[]> {
    return this.#db.select().from(outbox).orderBy(asc(outbox.id)).limit(limit);
  }

  async sent(ids: readonly number[]): Promise<void> {
    await this.#db.delete(outbox).where(inArray(outbox.id, [...ids]));
  }

  /** How much is in the outbox, and the time of its oldest change; undefined when it is empty. */
  async waiting(): Promise<{ readonly records: number; readonly oldest: EpochMs | undefined }> {
    const [first] = await this.unsent(1);
    if (first === undefined) return { records: 0, oldest: undefined };
    const { updatedAt } = JSON.parse(first.record) as { updatedAt: string | number };
    return { records: await this.#db.$count(outbox), oldest: new Date(updatedAt).getTime() };
  }

  /** @throws when the database does not answer */
  async check(): Promise<void> {
    await this.#db.select({ once: seeding.once }).from(seeding);
  }

  #after({ updatedAt }: Row): EpochMs {
    return Math.max(this.#now(), updatedAt + 1);
  }

  async #change(make: (tx: Db) => Promise<Row | Exclude<Change, { kind: 'done' }>>): Promise<Change> {
    const change = await this.#db.transaction(async (tx): Promise<Change> => {
      const made = await make(tx);
      if ('kind' in made) return made;
      const tenant = tenantOf(made);
      const { companyID, updatedAt } = tenant;
      await tx.insert(outbox).values(entry(companyID, made.deleted ? { companyID, deleted: true, updatedAt } : tenant));
      return { kind: 'done', tenant };
    });
    if (change.kind === 'done') this.#changed();
    return change;
  }
}

type Row = typeof tenants.$inferSelect;

const NOTHING: TenantFields = {
  industry: '',
  revenu: 0,
  employees: 0,
  job30: 0,
  job90: 0,
  monthlyFee: 0,
  totalFee: 0,
};

const is = (companyID: string): SQL => eq(tenants.companyID, companyID);

/** Undefined: there can be none. */
function ofIndustry(industry: string | undefined): SQL | undefined {
  const there = eq(tenants.deleted, false);
  if (industry === undefined) return there;
  return canBeStored(industry) ? and(there, eq(tenants.industryFolded, fold(industry))) : undefined;
}

/** The row as the last commit left it; nobody else changes it until this transaction ends. */
async function locked(tx: Db, companyID: string): Promise<Row | undefined> {
  const [row] = await tx.select().from(tenants).where(is(companyID)).for('update');
  return row;
}

async function updated(tx: Db, companyID: string, columns: Partial<Row>): Promise<Row> {
  const [row] = await tx.update(tenants).set(columns).where(is(companyID)).returning();
  if (row === undefined) throw new Error(`expected the row of tenant ${companyID}, which is locked`);
  return row;
}

function entry(companyID: string, record: object): { companyID: string; record: string } {
  return { companyID, record: JSON.stringify(record) };
}

function columnsOf({ industry, revenu, employees, job30, job90, monthlyFee, totalFee }: TenantFields) {
  return { industry, industryFolded: fold(industry), revenu, employees, job30, job90, monthlyFee, totalFee };
}

function tenantOf(row: Row): Tenant {
  const { companyID, industry, revenu, employees, job30, job90, monthlyFee, totalFee, updatedAt } = row;
  const time = new Date(updatedAt).toISOString();
  return { companyID, industry, revenu, employees, job30, job90, monthlyFee, totalFee, updatedAt: time };
}

function fold(industry: string): string {
  return industry.toLowerCase();
}

/** PostgreSQL has no text with U+0000. */
export function canBeStored(text: string): boolean {
  return !text.includes('\u0000');
}
