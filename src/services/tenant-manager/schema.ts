import {
  bigint,
  boolean,
  doublePrecision,
  type PgDatabase,
  type PgQueryResultHKT,
  pgSchema,
  text,
} from 'drizzle-orm/pg-core';

/** Our tables as the migrations make them, in a schema of their own: a server's database may hold other things. */
export const SCHEMA = 'tenant_manager';
const schema = pgSchema(SCHEMA);
const whole = (name: string) => bigint(name, { mode: 'number' });

export const tenants = schema.table('tenants', {
  companyID: text('company_id').primaryKey(),
  number: whole('number').generatedAlwaysAsIdentity(),
  industry: text('industry').notNull(),
  industryFolded: text('industry_folded').notNull(),
  revenu: doublePrecision('revenu').notNull(),
  employees: doublePrecision('employees').notNull(),
  job30: whole('job30').notNull(),
  job90: whole('job90').notNull(),
  monthlyFee: doublePrecision('monthly_fee').notNull(),
  totalFee: doublePrecision('total_fee').notNull(),
  updatedAt: whole('updated_at').notNull(),
  deleted: boolean('deleted').notNull().default(false),
});

export const outbox = schema.table('outbox', {
  id: whole('id').primaryKey().generatedAlwaysAsIdentity(),
  companyID: text('company_id').notNull(),
  record: text('record').notNull(),
});

export const seeding = schema.table('seeding', {
  once: boolean('once').primaryKey().default(true),
  at: whole('at').notNull(),
});

/** Any PostgreSQL, and a transaction of one. */
export type Db = PgDatabase<PgQueryResultHKT>;
