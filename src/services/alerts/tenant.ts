import { z } from 'zod';
import { dayOf, type EpochMs } from '../../base/time.ts';
import { type Activity, type News, newsSchema } from './alert.ts';

/*
 * What is kept of one tenant, and which of its news is told when. Pure, but for changing the tenant in place; each function
 * tells whether it did.
 */
export const tenantSchema = z.object({
  /** Version of the newest flip that was taken. Flips of a company come in order of version: older ones are repeats. */
  flip: z.int(),
  /** What was told last of its risk. */
  told: z.enum(['at-risk', 'recovered']).nullable(),
  /** No alert is raised before. */
  quietUntil: z.number(),
  /** Taken, and to be told once the quiet period is over and there is room. */
  heldFlip: newsSchema.nullable(),
  heldSilence: newsSchema.nullable(),
  /** News that was not told by itself, since the last alert. */
  merged: z.int(),
  /** As of its last job event that is known. */
  seen: z
    .object({
      industry: z.string(),
      monthlyFee: z.number(),
      churnProbability: z.number().nullable(),
      version: z.int(),
      lastJobAt: z.number(),
    })
    .nullable(),
  /** The last job event before the silence that was taken last: each silence is told once. */
  silentSince: z.number().nullable(),
});
export type Tenant = z.infer<typeof tenantSchema>;

export function newTenant(): Tenant {
  const nothing = { told: null, heldFlip: null, heldSilence: null, seen: null, silentSince: null };
  return { flip: 0, quietUntil: 0, merged: 0, ...nothing };
}

export const isHeld = ({ heldFlip, heldSilence }: Tenant): boolean => heldFlip !== null || heldSilence !== null;

/** A newer flip takes the place of one that waits; back at what was told last, there is nothing to tell. */
export function takeFlip(tenant: Tenant, news: News): { readonly isNew: boolean; readonly merged: number } {
  if (news.version <= tenant.flip) return { isNew: false, merged: 0 };
  const isBack = news.change === tenant.told;
  const merged = (tenant.heldFlip === null ? 0 : 1) + (isBack ? 1 : 0);
  tenant.flip = news.version;
  tenant.heldFlip = isBack ? null : news;
  tenant.merged += merged;
  return { isNew: true, merged };
}

/** True: worth keeping. Within a day a later job changes nothing: silence is counted in days. */
export function takeActivity(tenant: Tenant, { companyID: _, ...seen }: Activity): { isNew: boolean; merged: number } {
  const known = tenant.seen;
  if (known !== null && known.lastJobAt > seen.lastJobAt) return { isNew: false, merged: 0 };
  tenant.seen = seen;
  const isNew = known === null || dayOf(known.lastJobAt) !== dayOf(seen.lastJobAt);
  // It came back before it was told.
  const merged = isNew && tenant.heldSilence !== null ? 1 : 0;
  if (merged > 0) tenant.heldSilence = null;
  tenant.merged += merged;
  return { isNew, merged };
}

export function takeSilence(tenant: Tenant, news: News): boolean {
  if (tenant.silentSince !== null && dayOf(tenant.silentSince) >= dayOf(news.at)) return false;
  tenant.silentSince = news.at;
  tenant.heldSilence = news;
  return true;
}

/** What of a tenant is due; a new quiet period begins. What waited for the end of one is told together. */
export function release(tenant: Tenant, now: EpochMs, quietMs: number): readonly News[] {
  if (now < tenant.quietUntil) return [];
  const due = [tenant.heldFlip, tenant.heldSilence].filter((news) => news !== null);
  if (due.length === 0) return [];
  if (tenant.heldFlip !== null && tenant.heldFlip.change !== 'silent') tenant.told = tenant.heldFlip.change;
  tenant.heldFlip = null;
  tenant.heldSilence = null;
  tenant.quietUntil = now + quietMs;
  return due;
}
