import { readFile } from 'node:fs/promises';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import { type ParameterTexts, readParameters } from '../../pipeline/parameters.ts';
import { type InputName, planNumbers } from '../../services/planner/inputs.ts';
import { type Plan, planOf } from '../../services/planner/plan.ts';
import { readPrices } from '../../services/planner/prices.ts';

export interface PlanRequest {
  readonly numbers: Readonly<Partial<Record<InputName, string>>>;
  readonly host: 'node' | 'flink';
  readonly streams: 'provisioned' | 'on-demand';
  /** A file; undefined for the one of the package. */
  readonly prices: string | undefined;
  /** Of the application, as it is run. */
  readonly texts: ParameterTexts;
}

/** @throws TenantAnalyticsError USAGE, PARAMETER_UNKNOWN, PARAMETER_INVALID, INPUT_UNREADABLE */
export async function plan({ numbers, host, streams, prices, texts }: PlanRequest): Promise<Plan> {
  const { text, where } = await pricesText(prices);
  const { application, consumer } = readParameters(withRequired(texts));
  return planOf(
    {
      numbers: planNumbers(numbers),
      host,
      streams,
      isLookup: application.enrichment === 'lookup',
      isScored: application.scoring === 'on',
      isDecaying: application['activity.decay'] === 'on' && application['activity.counting'] === 'rolling',
      format: application.S3SinkFormat,
      isFanOut: consumer['jobs.stream.consumer'] === 'EFO',
      rollBytes: application['sink.roll.size'],
      rollMs: application['sink.roll.age'],
      tenantTtlMs: application['tenant.cache.ttl'],
      tenantCacheSize: application['tenant.cache.size'],
      tenantConcurrency: application['tenant.concurrency'],
      scoreConcurrency: application['score.concurrency'],
    },
    readPrices(text, where),
  );
}

/** Where rows and services are does not matter here: a plan may be made before they are there. */
function withRequired(texts: ParameterTexts): ParameterTexts {
  return {
    ...texts,
    ApplicationConfigProperties: {
      S3SinkPath: 's3://bucket',
      tenantManagerEndpoint: 'https://tenants',
      predictChurnApiEndpoint: 'https://scores',
      ...texts.ApplicationConfigProperties,
    },
  };
}

/** Of the package: its file lies one folder above the built program; run from the source, three. */
const SHIPPED = ['../prices.json', '../../prices.json', '../../../prices.json'] as const;

async function pricesText(path: string | undefined): Promise<{ text: string; where: string }> {
  if (path !== undefined) {
    return { where: path, text: await readFile(path, 'utf8').catch((error: unknown) => unreadable(path, error)) };
  }
  let last: unknown;
  for (const candidate of SHIPPED) {
    try {
      return { where: 'prices.json', text: await readFile(new URL(candidate, import.meta.url), 'utf8') };
    } catch (error) {
      last = error;
    }
  }
  return unreadable('prices.json of this package', last);
}

function unreadable(path: string, error: unknown): never {
  const message = `--prices: expected a file of prices at ${path}, got: ${messageOf(error)}. Name one, or copy prices.json of this package and edit it.`;
  throw new TenantAnalyticsError('INPUT_UNREADABLE', message, { cause: error });
}
