import { z } from 'zod';

/* What answers are made of: the kinds of numbers, as of when they are, a company, and the parameters many questions take. */

export const time = z.string().meta({ description: 'ISO 8601, UTC', examples: ['2026-11-22T19:07:46.000Z'] });
export const day = z.string().meta({ description: 'UTC day', examples: ['2026-11-22'] });
export const count = z.int().min(0);
export const amount = z.number();
export const share = z.number().min(0).max(1);
/** Of up to 128 characters, each one or two units of UTF-16. */
const company = z.string().min(1).max(256);

/** As of when the numbers are. */
export const asOfSchema = z.object({
  /** `catching-up`: rows written earlier are still being read, numbers grow. */
  state: z.enum(['catching-up', 'live']),
  /** When the last row was applied; null before the first. */
  appliedAt: time.nullable(),
  /** The latest event time among the rows applied. */
  eventTime: time.nullable(),
  /** Rows applied since the start, each (companyID, version) once. */
  rows: count,
  /** The clock, and the UTC day that `today` means. */
  now: time,
  today: day,
});
export type AsOf = z.infer<typeof asOfSchema>;

export const scoreStatus = z.enum(['scored', 'unavailable', 'off']);

/** The newest row known of a company. */
export const companySchema = z.object({
  companyID: z.string(),
  industry: z.string(),
  revenue: amount,
  employees: amount,
  /** As its newest row states them. */
  job30: count,
  job90: count,
  monthlyFee: amount,
  totalFee: amount,
  /** Null: there is no score. */
  riskOfChurn: z.boolean().nullable(),
  churnProbability: z.number().nullable(),
  scoreStatus,
  /** Null: no job event of it is among the rows. */
  lastJobAt: time.nullable(),
  /** Whole UTC days since then. */
  idleDays: count.nullable(),
  /** Of its newest row. */
  version: count,
  eventTime: time,
});

export const industryFilter = {
  industry: z.string().optional().meta({ description: 'only companies of it, in any case' }),
};
export const limited = (byDefault: number) => ({
  limit: z.coerce.number().int().min(1).max(10_000).default(byDefault),
});
export const lastDays = (byDefault: number) => ({
  days: z.coerce
    .number()
    .int()
    .min(1)
    .max(400)
    .default(byDefault)
    .meta({ description: 'so many UTC days, up to and with today' }),
});
export const ofCompany = { companyID: company };
