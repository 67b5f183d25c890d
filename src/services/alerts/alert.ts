import { z } from 'zod';
import { DAY_MS, dayOf, type EpochMs, isoDate, type UtcDay } from '../../base/time.ts';

/** How a tenant changed: the first two as the graph decided them (`riskChanged`), the third as its silence tells. */
const change = z.enum(['at-risk', 'recovered', 'silent']);
export type Change = z.infer<typeof change>;

/** What happened to a tenant. */
export const newsSchema = z.object({
  companyID: z.string(),
  /** Of the row on which its risk flipped; of its newest row when it fell silent. */
  version: z.int(),
  change,
  /** Event time of that row; of a silence, the last job event. */
  at: z.number(),
  industry: z.string(),
  monthlyFee: z.number(),
  churnProbability: z.number().nullable(),
  /** In words, strongest first. */
  reasons: z.array(z.string()),
});
export type News = z.infer<typeof newsSchema>;

/** What is told of a tenant. It never changes once it was raised: each attempt sends the same. */
export const alertSchema = z.object({
  ...newsSchema.shape,
  /** Grows in the order in which alerts are raised. */
  id: z.int(),
  raisedAt: z.number(),
  /** Earlier news of this tenant that were not told by themselves, since the alert before. */
  merged: z.int(),
});
export type Alert = z.infer<typeof alertSchema>;

/** A tenant whose last job event is known. */
export interface Activity {
  readonly companyID: string;
  readonly industry: string;
  readonly monthlyFee: number;
  readonly churnProbability: number | null;
  readonly version: number;
  readonly lastJobAt: EpochMs;
}

/**
 * What a receiver drops repeats by: (companyID, version). A silence may be noticed on the very row on which the risk
 * flipped, and is another alert: its key says so.
 */
export function keyOf({ companyID, version, change }: Pick<News, 'companyID' | 'version' | 'change'>): string {
  return `${companyID}:${version}${change === 'silent' ? ':silent' : ''}`;
}

/** Reasons are what a model said: no alert is longer than a receiver takes. */
const MOST_REASONS = 10;
const MOST_CHARACTERS = 300;

export function bounded<N extends News>(news: N): N {
  const reasons = news.reasons.slice(0, MOST_REASONS).map(cut);
  return { ...news, industry: cut(news.industry), reasons };
}

function cut(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${[...text].slice(0, MOST_CHARACTERS - 1).join('')}…`;
}

/** The first of the days at which a tenant is silent whose last job event was then. */
export function silentFrom(lastJobAt: EpochMs, silentDays: number): UtcDay {
  return dayOf(lastJobAt) + silentDays;
}

export function silenceOf(tenant: Activity, day: UtcDay): News {
  const { lastJobAt, ...rest } = tenant;
  const last = dayOf(lastJobAt);
  const reasons = [`no job event for ${day - last} days, the last one on ${isoDate(last)}`];
  return { ...rest, change: 'silent', at: lastJobAt, reasons };
}

/** Events may be late by so much before a day is taken for over. */
const LATE_MS = 15 * 60_000;

/**
 * The day as of which tenants are judged silent: the one that events have reached, at most the clock's. While no event of
 * anybody comes it is the pipeline that is silent, and not its tenants.
 */
export function judgedDay(now: EpochMs, latestEvent: EpochMs | null): UtcDay {
  return latestEvent === null ? 0 : dayOf(Math.max(0, Math.min(now, latestEvent) - LATE_MS));
}

export const dayStart = (day: UtcDay): EpochMs => day * DAY_MS;
