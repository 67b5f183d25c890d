import * as z from 'zod';
import { TenantAnalyticsError } from '../../base/errors.ts';

/** Names of the prices that a plan asks for, and the unit that each is of. */
export const PRICE_UNITS = {
  'kinesis.shard': 'shard-hour',
  'kinesis.put': 'million PUT payload units',
  'kinesis.retention7': 'shard-hour beyond 24 h, to 7 days',
  'kinesis.retentionLong': 'GB-month beyond 7 days',
  'kinesis.fanOut': 'consumer-shard-hour',
  'kinesis.fanOutData': 'GB',
  'kinesis.onDemandStream': 'stream-hour',
  'kinesis.onDemandIn': 'GB',
  'kinesis.onDemandOut': 'GB',
  'kinesis.onDemandFanOut': 'GB',
  'kinesis.onDemandRetention7': 'GB-month beyond 24 h, to 7 days',
  'flink.kpu': 'KPU-hour',
  'flink.storage': 'GB-month',
  'ec2.instance': 'hour of 2 vCPU, 8 GiB',
  's3.put': 'thousand requests',
  's3.storage': 'GB-month',
  'apigateway.request': 'million requests',
  'lambda.request': 'million requests',
  'lambda.duration': 'GB-second',
  'sagemaker.instance': 'instance-hour',
  'fargate.vcpu': 'vCPU-hour',
  'fargate.memory': 'GB-hour',
  'aurora.acu': 'ACU-hour',
  'loadbalancer.hour': 'hour',
} as const;

export type PriceName = keyof typeof PRICE_UNITS;

export interface Prices {
  readonly currency: string;
  readonly region: string;
  /** `YYYY-MM-DD`. */
  readonly asOf: string;
  /** What the file says of itself, such as who checked it. */
  readonly note: string;
  readonly of: Readonly<Record<PriceName, number>>;
}

const fileSchema = z.object({
  currency: z.string().min(1),
  region: z.string().min(1),
  asOf: z.iso.date(),
  note: z.string(),
  prices: z.record(
    z.string(),
    z.object(
      { price: z.number().min(0), unit: z.string(), source: z.string() },
      { error: 'expected price, unit, source' },
    ),
  ),
});

/**
 * @param text of a file of prices, as the one beside the program
 * @param where it came from, for messages
 * @throws TenantAnalyticsError PARAMETER_INVALID that names each price that is missing, unknown, negative or of another unit
 */
export function readPrices(text: string, where: string): Prices {
  const parsed = fileSchema.safeParse(parse(text, where));
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => `${path.join(' ')}: ${message}`);
    throw invalid(where, wrong);
  }
  const { currency, region, asOf, note, prices } = parsed.data;
  const names = Object.keys(PRICE_UNITS) as PriceName[];
  const wrong = [
    ...names
      .filter((name) => prices[name] === undefined)
      .map((name) => `${name} is missing (per ${PRICE_UNITS[name]})`),
    ...Object.keys(prices)
      .filter((name) => !Object.hasOwn(PRICE_UNITS, name))
      .map((name) => `${name} is not known; known are ${names.join(', ')}`),
    ...names
      .filter((name) => prices[name] !== undefined && prices[name].unit !== PRICE_UNITS[name])
      .map((name) => `${name} is per ${prices[name]?.unit}, expected per ${PRICE_UNITS[name]}`),
  ];
  if (wrong.length > 0) throw invalid(where, wrong);
  const of = Object.fromEntries(names.map((name) => [name, prices[name]?.price ?? 0])) as Record<PriceName, number>;
  return { currency, region, asOf, note, of };
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(where, [`expected JSON, got: ${error instanceof Error ? error.message : 'something else'}`]);
  }
}

function invalid(where: string, wrong: readonly string[]): TenantAnalyticsError {
  return new TenantAnalyticsError(
    'PARAMETER_INVALID',
    `${where}: ${wrong.join('; ')}. Mend the file, or name another with --prices.`,
  );
}
