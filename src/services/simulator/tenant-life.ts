import { type Random, seededRandom } from '../../base/random.ts';

/** How a tenant is used over the days of its life. */
export interface TenantLife {
  readonly companyID: string;
  readonly users: number;
  /** How busy it is on a day, counted from the start of the simulation; 0 or more, with a mean of about 1 over tenants. */
  activity(day: number): number;
}

/** Half of what a tenant that fades away did on one day is left after so many. */
const HALF_LIFE_DAYS = 4;
/** Below this it is gone: silence, not a trickle. */
const GONE = 0.05;

/**
 * Of ten tenants, six stay as they are, three fade away from some day of the first `FADE_WITHIN_DAYS` on, and one grows.
 * Few are very busy: how busy spans two powers of ten.
 */
export function tenantLife(companyID: string, seed: number): TenantLife {
  const random = seededRandom(seed);
  const busyness = 10 ** (2 * random() - 1.3);
  const users = 1 + Math.floor(random() ** 2 * 20);
  const fate = random();
  const turnsOn = random() * FADE_WITHIN_DAYS;
  if (fate < 0.6) return { companyID, users, activity: () => busyness };
  if (fate < 0.9) {
    const activity = (day: number) => {
      const left = 0.5 ** (Math.max(0, day - turnsOn) / HALF_LIFE_DAYS);
      return left < GONE ? 0 : busyness * left;
    };
    return { companyID, users, activity };
  }
  return { companyID, users, activity: (day) => busyness * (1 + Math.max(0, day - turnsOn) / 30) };
}

const FADE_WITHIN_DAYS = 30;

/** Whose event is next: tenants by how busy they are on that day; undefined when all are gone. */
export function nextTenant(tenants: readonly TenantLife[], day: number, random: Random): TenantLife | undefined {
  let total = 0;
  for (const tenant of tenants) total += tenant.activity(day);
  let at = random() * total;
  for (const tenant of tenants) {
    const activity = tenant.activity(day);
    if (activity > 0 && at < activity) return tenant;
    at -= activity;
  }
  return undefined;
}
