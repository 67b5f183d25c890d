import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { CHURN_MODEL_METRICS } from '../../observe/metric-table.ts';
import type { BinIndexes, Scorecard } from './scorecard.ts';

/** What is known of a company that was scored once: whether it left. */
export interface Outcome {
  /** As it was answered then. */
  readonly probability: number;
  readonly left: boolean;
}

/** Drift is told of the last rows only: over all of them it would show ever later. */
const WINDOW_ROWS = 10_000;
/** With fewer, the index is mostly chance: for ten bins, 0.09 at 100 rows. */
const LEAST_ROWS = 100;
/** Stands for an empty bin, whose logarithm there is not. */
const LEAST_SHARE = 1e-4;
const BANDS = 10;

/**
 * Whether the model still fits what it is asked, from what it is asked: the distribution of scores, how far the features
 * are from those of training, industries it does not know, and, given outcomes, whether its probabilities came true.
 */
export class ModelHealth {
  readonly registry = new Registry();
  readonly #model: Scorecard;
  readonly #window: BinIndexes[] = [];
  #next = 0;
  /** Rows of the window in each bin of each feature. */
  readonly #counts: number[][];
  readonly #bands = Array.from({ length: BANDS }, () => ({ count: 0, predicted: 0, left: 0 }));
  #squaredErrors = 0;
  readonly #rows: Counter;
  readonly #scores: Histogram;

  constructor(model: Scorecard) {
    this.#model = model;
    this.#counts = model.features.map(({ weights }) => weights.map(() => 0));
    const registers = [this.registry];
    this.#rows = new Counter({ ...described('churn_model_rows_total'), registers });
    this.#scores = new Histogram({
      ...described('churn_model_score'),
      buckets: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
      registers,
    });
    new Gauge({ ...described('churn_model_info'), registers }).labels(model.version).set(1);
    this.#driftGauges(registers);
    this.#calibrationGauges(registers);
  }

  served(bins: BinIndexes, probability: number): void {
    this.#rows.inc();
    this.#scores.observe(probability);
    const dropped = this.#window[this.#next];
    if (dropped !== undefined) this.#count(dropped, -1);
    this.#count(bins, 1);
    this.#window[this.#next] = bins;
    this.#next = (this.#next + 1) % WINDOW_ROWS;
  }

  outcome({ probability, left }: Outcome): void {
    const band = this.#bands[Math.min(BANDS - 1, Math.floor(probability * BANDS))];
    if (band === undefined) return;
    band.count += 1;
    band.predicted += probability;
    band.left += left ? 1 : 0;
    this.#squaredErrors += (probability - (left ? 1 : 0)) ** 2;
  }

  /** In Prometheus' text format. */
  metrics(): Promise<string> {
    return this.registry.metrics();
  }

  #count(bins: BinIndexes, by: 1 | -1): void {
    for (const [feature, bin] of bins.entries()) {
      const counts = this.#counts[feature];
      if (counts?.[bin] !== undefined) counts[bin] += by;
    }
  }

  #driftGauges(registers: Registry[]): void {
    const rows = () => this.#window.length;
    new Gauge({
      ...described('churn_model_window_rows'),
      registers,
      collect() {
        this.set(rows());
      },
    });
    const indexes = () =>
      this.#model.features.map(({ name, means }, index) => [name, stabilityIndex(this.#counts[index] ?? [], means)]);
    new Gauge({
      ...described('churn_model_psi'),
      registers,
      collect() {
        if (rows() < LEAST_ROWS) return;
        for (const [name, index] of indexes()) this.labels(String(name)).set(Number(index));
      },
    });
    const unknown = () => this.#counts[this.#model.features.findIndex(({ name }) => name === 'industry')]?.at(-1) ?? 0;
    new Gauge({
      ...described('churn_model_unknown_industry_ratio'),
      registers,
      collect() {
        setOrLeaveOut(this, unknown(), rows());
      },
    });
  }

  #calibrationGauges(registers: Registry[]): void {
    const bands = this.#bands;
    const total = () => bands.reduce((sum, { count }) => sum + count, 0);
    const gauge = (
      name: keyof typeof CHURN_MODEL_METRICS,
      value: (band: { count: number; predicted: number; left: number }) => number,
    ) =>
      new Gauge<string>({
        ...described(name),
        registers,
        collect() {
          for (const [index, band] of bands.entries()) {
            if (band.count > 0) this.labels(`${index / BANDS}-${(index + 1) / BANDS}`).set(value(band));
          }
        },
      });
    gauge('churn_model_outcomes', ({ count }) => count);
    gauge('churn_model_predicted_ratio', ({ count, predicted }) => predicted / count);
    gauge('churn_model_observed_ratio', ({ count, left }) => left / count);
    new Gauge({
      ...described('churn_model_calibration_error'),
      registers,
      collect() {
        const distance = bands.reduce((sum, { predicted, left }) => sum + Math.abs(predicted - left), 0);
        setOrLeaveOut(this, distance, total());
      },
    });
    const squaredErrors = () => this.#squaredErrors;
    new Gauge({
      ...described('churn_model_brier_score'),
      registers,
      collect() {
        setOrLeaveOut(this, squaredErrors(), total());
      },
    });
  }
}

function described(name: keyof typeof CHURN_MODEL_METRICS) {
  const { meaning, labels } = CHURN_MODEL_METRICS[name];
  return { name, help: meaning, labelNames: [...labels] as string[] };
}

/** Of nothing there is no mean; left alone, a gauge would say 0, which is best. */
function setOrLeaveOut(gauge: Gauge, sum: number, count: number): void {
  if (count > 0) gauge.set(sum / count);
  else gauge.remove();
}

function stabilityIndex(counts: readonly number[], means: readonly number[]): number {
  const rows = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, bin) => {
    const [actual, expected] = [Math.max(count / rows, LEAST_SHARE), Math.max(means[bin] ?? 0, LEAST_SHARE)];
    return sum + (actual - expected) * Math.log(actual / expected);
  }, 0);
}
