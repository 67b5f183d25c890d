CREATE TABLE "tenant_manager"."tenants" (
  "company_id" text PRIMARY KEY,
  -- The order of pages: that in which tenants were made.
  "number" bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  "industry" text NOT NULL,
  -- Folded by the program, so that every database folds alike, whatever its locale.
  "industry_folded" text NOT NULL,
  "revenu" double precision NOT NULL,
  "employees" double precision NOT NULL,
  "job30" bigint NOT NULL,
  "job90" bigint NOT NULL,
  "monthly_fee" double precision NOT NULL,
  "total_fee" double precision NOT NULL,
  -- Epoch milliseconds. Grows with each change of the tenant, also over its deletion: so a deleted one leaves its row.
  "updated_at" bigint NOT NULL,
  "deleted" boolean NOT NULL DEFAULT false
);
--> statement-breakpoint
CREATE INDEX "tenants_by_number" ON "tenant_manager"."tenants" ("number") WHERE NOT "deleted";
--> statement-breakpoint
CREATE INDEX "tenants_by_industry" ON "tenant_manager"."tenants" ("industry_folded", "number") WHERE NOT "deleted";
--> statement-breakpoint
-- What the companies stream has not accepted yet. Written while the tenant's row is locked: ids of one tenant are in the
-- order of its changes.
CREATE TABLE "tenant_manager"."outbox" (
  "id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "company_id" text NOT NULL,
  "record" text NOT NULL
);
--> statement-breakpoint
-- One row once the seed was written: tenants that were deleted do not come back at the next start.
CREATE TABLE "tenant_manager"."seeding" (
  "once" boolean PRIMARY KEY DEFAULT true CHECK ("once"),
  "at" bigint NOT NULL
);
