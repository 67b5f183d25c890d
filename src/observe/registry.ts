import { Counter, collectDefaultMetrics, Gauge, type Histogram, Registry } from 'prom-client';
import type { Metric } from './metric-table.ts';

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  /** Of a histogram: what of it. */
  readonly of?: 'bucket' | 'sum' | 'count';
}

/** Asked when the metric is. None: it is not known, which is not 0. */
export type LookUp = () => readonly Sample[] | Promise<readonly Sample[]>;

/** Adds metrics that are looked up where they are kept, each time they are asked for; nothing is counted here. */
export function lookedUp<N extends string>(
  table: Readonly<Record<N, Metric>>,
  lookUps: Readonly<Record<N, LookUp>>,
  registry = new Registry(),
): Registry {
  for (const name of Object.keys(table) as N[]) {
    const { type, labels, meaning } = table[name];
    const values = lookUps[name];
    const options = { name, help: meaning, labelNames: [...labels], registers: [registry] };
    if (type === 'gauge') {
      new Gauge({
        ...options,
        async collect() {
          const samples = await values();
          this.reset();
          if (labels.length === 0) this.remove(); // a reset says 0 there, but not known is not 0
          for (const { labels: of = {}, value } of samples) this.set(of, value);
        },
      });
    } else if (type === 'counter') {
      new Counter({
        ...options,
        async collect() {
          const samples = await values();
          this.reset();
          for (const { labels: of = {}, value } of samples) this.inc(of, value);
        },
      });
    } else {
      registry.registerMetric(lookedUpHistogram(name, meaning, values));
    }
  }
  return registry;
}

/** prom-client's histogram takes observations only; its registry takes whatever has a name and tells its values. */
function lookedUpHistogram(name: string, help: string, values: LookUp): Histogram {
  const get = async () => ({
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    values: (await values()).map(({ labels = {}, value, of = 'bucket' }) => ({
      metricName: `${name}_${of}`,
      labels,
      value,
    })),
  });
  return { name, help, get } as unknown as Histogram;
}

let ofProcess: Registry | undefined;

/** Memory, CPU, event loop of this process: kept once, however many services run in it. */
export function processMetrics(): Registry {
  if (ofProcess === undefined) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess });
  }
  return ofProcess;
}

/** What `/metrics` answers: all of the registries, none of whose metrics another one has. */
export async function metricsText(registries: readonly Registry[]): Promise<string> {
  const texts = await Promise.all(registries.map((registry) => registry.metrics()));
  return texts.filter((text) => text.trim() !== '').join('\n');
}

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;
