import { seededRandom } from '../../base/random.ts';

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
const FADE_WITHIN_DAYS = 30;
/** Of all tenants, while there are so many that do not fade. */
const GROWING = 0.1;
export const FADING = 0.3;

/**
 * Of ten tenants, one grows, three (`fading`) fade away from some day of the first 30 on, and the others stay as they are.
 * Few are very busy: how busy spans two powers of ten.
 */
export function tenantLife(companyID: string, seed: number, fading: number = FADING): TenantLife {
  const random = seededRandom(seed);
  const busyness = 10 ** (2 * random() - 1.3);
  const users = 1 + Math.floor(random() ** 2 * 20);
  const fate = random();
  const turnsOn = random() * FADE_WITHIN_DAYS;
  const growsFrom = 1 - Math.min(GROWING, 1 - fading);
  if (fate < growsFrom - fading) return { companyID, users, activity: () => busyness };
  if (fate < growsFrom) {
    const activity = (day: number) => {
      const left = 0.5 ** (Math.max(0, day - turnsOn) / HALF_LIFE_DAYS);
      return left < GONE ? 0 : busyness * left;
    };
    return { companyID, users, activity };
  }
  return { companyID, users, activity: (day) => busyness * (1 + Math.max(0, day - turnsOn) / 30) };
}
