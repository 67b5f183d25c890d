import { scrape } from './pipeline.ts';
import { askFlink, type FlinkPlace, type FlinkTold } from './pipeline-flink.ts';
import { instant, partsOf } from './pipeline-parts.ts';
import type { MetricRow, PipelineAnswer } from './pipeline-schema.ts';

export interface PipelinePlaces {
  /** Where the Node host tells its metrics (`…/metrics`); '' is nowhere. */
  readonly metricsUrl: string;
  readonly flink?: FlinkPlace | undefined;
  /** Where churn scoring tells its metrics, and with them its model's; '' is nowhere. */
  readonly modelMetricsUrl?: string;
  /** For the commands of dead letters: the output of the run. */
  readonly output?: string;
}

export type PipelineTold = Omit<PipelineAnswer, 'insight' | 'title' | 'asOf' | 'totals'>;

type Told = { readonly problem: string } | FlinkTold;

interface Scrape {
  readonly at: number;
  /** Which run it is of. */
  readonly run: string;
  readonly values: ReadonlyMap<string, number>;
}

/** Rates are made over so long at least, lest they jump, and at most, lest they be old. */
const LEAST_MS = 5000;
const MOST_MS = 60_000;
/** Closer together than this, two scrapes say nothing of a rate. */
const APART_MS = 1000;

/** Asks whichever host runs the application, and keeps what it told before: rates are made of two scrapes. */
export class Pipeline {
  readonly #places: PipelinePlaces;
  readonly #now: () => number;
  #kept: readonly Scrape[] = [];
  #asking: Promise<PipelineTold | { readonly problem: string }> | undefined;

  constructor(places: PipelinePlaces, now: () => number) {
    this.#places = places;
    this.#now = now;
  }

  /** Whether it was told of a host at all. */
  get isKnown(): boolean {
    return this.#places.metricsUrl !== '' || this.#places.flink !== undefined;
  }

  /** Never throws. Who asks while it is asked gets the same answer: pages do not add up to load on the host. */
  ask(): Promise<PipelineTold | { readonly problem: string }> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<PipelineTold | { readonly problem: string }> {
    const { metricsUrl, flink, modelMetricsUrl = '' } = this.#places;
    const [node, ofFlink, model] = await Promise.all([
      metricsUrl === '' ? undefined : askNode(metricsUrl),
      flink === undefined ? undefined : askFlink(flink, this.#now()),
      modelMetricsUrl === '' ? undefined : scrape(modelMetricsUrl),
    ]);
    const chosen = choose(node, ofFlink);
    if ('problem' in chosen) return chosen;
    const { host, vertices, failedCheckpoints } = chosen.told;
    const ofModel = model !== undefined && 'rows' in model ? model.rows.filter(isOfModel) : [];
    const rows = [...chosen.told.rows, ...ofModel];
    const now = this.#now();
    const before = this.#before({ at: now, run: runOf(host), values: countersOf(rows) });
    const rateSeconds = before === undefined ? null : (now - before.at) / 1000;
    const rates = (row: MetricRow) => {
      const earlier = before?.values.get(keyOf(row));
      if (earlier === undefined || rateSeconds === null || row.value === null) return null;
      return Math.max(0, row.value - earlier) / rateSeconds;
    };
    return {
      host: { ...host, besides: chosen.besides },
      ...partsOf(rows, { now, rates, rateSeconds, failedCheckpoints, output: this.#places.output ?? '' }),
      modelProblem: model !== undefined && 'problem' in model ? model.problem : '',
      vertices: [...vertices],
      rows,
    };
  }

  /** The scrape that rates are made against; undefined for the first of a run. */
  #before(scraped: Scrape): Scrape | undefined {
    const last = this.#kept.at(-1);
    // After a restart counters begin anew, or where the checkpoint was: nothing before says what was gained.
    if (last !== undefined && (last.run !== scraped.run || wentBack(last, scraped))) this.#kept = [];
    const young = this.#kept.filter(({ at }) => scraped.at - at <= MOST_MS && at <= scraped.at);
    const before = young.findLast(({ at }) => scraped.at - at >= LEAST_MS) ?? young[0];
    const newest = young.at(-1);
    const isApart = newest === undefined || scraped.at - newest.at >= APART_MS;
    this.#kept = isApart ? [...young, scraped] : young;
    return before !== undefined && scraped.at - before.at >= APART_MS ? before : undefined;
  }
}

async function askNode(metricsUrl: string): Promise<Told> {
  const scraped = await scrape(metricsUrl);
  if ('problem' in scraped) return scraped;
  const { rows } = scraped;
  const started = rows.find(({ metric }) => metric === 'process_start_time_seconds')?.value ?? null;
  return {
    host: {
      kind: 'node',
      url: metricsUrl,
      since: started === null ? null : instant(started),
      state: 'RUNNING',
      isRunning: true,
      job: null,
      restarts: null,
    },
    failedCheckpoints: null,
    vertices: [],
    rows,
  };
}

type Chosen = { readonly problem: string } | { readonly told: FlinkTold; readonly besides: string };

/** The one that runs; of two the Node host, and the page says that there is another. */
function choose(node: Told | undefined, flink: Told | undefined): Chosen {
  const told = [node, flink].filter((each) => each !== undefined);
  const answering = told.filter((each) => 'host' in each);
  const shown = answering.find(({ host }) => host.isRunning) ?? answering[0];
  const besides = told
    .filter((each) => each !== shown)
    .map((each) => ('problem' in each ? each.problem : besidesOf(each)));
  if (shown === undefined) return { problem: besides.join('; ') };
  return { told: shown, besides: besides.join('; ') };
}

function besidesOf({ host: { url, state, job, kind } }: FlinkTold): string {
  if (kind === 'node') return `the Node host at ${url} answers, too`;
  return `Flink at ${url}: job ${job?.id ?? ''} is ${state}`;
}

function isOfModel({ metric }: MetricRow): boolean {
  return metric.startsWith('churn_');
}

function runOf({ kind, url, since, job, restarts }: FlinkTold['host']): string {
  return [kind, url, since, job?.id, restarts].join(' ');
}

function keyOf({ metric, labels }: MetricRow): string {
  return `${metric}{${labels}}`;
}

/** By name: on Flink some of them are told as gauges. */
function countersOf(rows: readonly MetricRow[]): ReadonlyMap<string, number> {
  const counters = rows.filter(({ metric }) => metric.startsWith('tenant_analytics_') && metric.endsWith('_total'));
  return new Map(counters.flatMap((row) => (row.value === null ? [] : [[keyOf(row), row.value] as const])));
}

function wentBack(before: Scrape, { values }: Scrape): boolean {
  return [...before.values].some(([key, value]) => (values.get(key) ?? value) < value);
}
