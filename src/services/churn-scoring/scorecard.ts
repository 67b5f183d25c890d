import { TenantAnalyticsError } from '../../base/errors.ts';
import type { CompanyFeatures } from './company-features.ts';

/**
 * A logistic scorecard: each feature falls into one bin, each bin has a weight, and the weights and the intercept add up
 * to the log-odds of leaving. It is also a linear model over one column (0 or 1) a bin, and that is how a company travels
 * to it. Its artifact is model/model.json; what it means is written a second time, in Python, in model/scorecard.py.
 */
export interface Scorecard {
  readonly version: string;
  readonly intercept: number;
  /** From this probability on a company is said to leave. */
  readonly threshold: number;
  readonly features: readonly Feature[];
}

export type Feature = Category | Quantity;
type NumberName = Exclude<keyof CompanyFeatures, 'industry'>;

interface Bins {
  /** One a bin. */
  readonly weights: readonly number[];
  /** The share of training rows in each bin: the mean of its column. */
  readonly means: readonly number[];
  /** Training's median; for industries, the percentage of all companies that left. */
  readonly typical: number;
}

export interface Category extends Bins {
  readonly name: 'industry';
  /** In any case of letters; the bin after the last one is for all others. */
  readonly values: readonly string[];
  /** The percentage of each value's companies that left. */
  readonly leftPercent: readonly number[];
}

export interface Quantity extends Bins {
  readonly name: NumberName;
  /** Rising; a bin begins at its edge, the first and the last one are open. */
  readonly edges: readonly number[];
}

/** The index of the bin of each feature, in the order of the model's list. */
export type BinIndexes = readonly number[];

/** More of these never raises the risk; a model that says otherwise is refused. */
const FALLING: readonly string[] = ['job30', 'job90'];
const NAMES: readonly string[] = ['industry', 'revenu', 'employees', 'job30', 'job90', 'monthlyFee', 'totalFee'];

export function binsOf(model: Scorecard, company: CompanyFeatures): BinIndexes {
  return model.features.map((feature) =>
    'edges' in feature ? quantityBin(feature, company[feature.name]) : categoryBin(feature, company.industry),
  );
}

function quantityBin({ edges }: Quantity, value: number): number {
  const bin = edges.findIndex((edge) => value < edge);
  return bin === -1 ? edges.length : bin;
}

/** The last bin is for all that training has not seen. */
export function categoryBin({ values }: Category, value: string): number {
  const name = value.trim().toLowerCase();
  const bin = values.findIndex((known) => known.toLowerCase() === name);
  return bin === -1 ? values.length : bin;
}

/** Added in the order of the list, as in Python: sums of the same numbers in another order differ in the last digit. */
export function logOdds(model: Scorecard, bins: BinIndexes): number {
  return model.features.reduce((sum, feature, index) => sum + weightAt(feature, bins[index]), model.intercept);
}

export function probabilityOf(odds: number): number {
  return 1 / (1 + Math.exp(-odds));
}

/** What each feature adds to the log-odds, beyond what it adds for the mean of the training rows. */
export function contributionsOf(model: Scorecard, bins: BinIndexes): Readonly<Record<string, number>> {
  return Object.fromEntries(
    model.features.map((feature, index) => [feature.name, weightAt(feature, bins[index]) - expectedWeight(feature)]),
  );
}

function expectedWeight({ weights, means }: Feature): number {
  return weights.reduce((sum, weight, bin) => sum + weight * (means[bin] ?? 0), 0);
}

function weightAt(feature: Feature, bin: number | undefined): number {
  return feature.weights[bin ?? -1] ?? 0;
}

/** A company as the model's columns: 1 at the bin of each feature, else 0. */
export function columnsOf(model: Scorecard, bins: BinIndexes): number[] {
  return model.features.flatMap(({ weights }, index) => weights.map((_, bin) => (bin === bins[index] ? 1 : 0)));
}

export function columnCount(model: Scorecard): number {
  return model.features.reduce((sum, { weights }) => sum + weights.length, 0);
}

/** The bins that a row of columns names, or what is wrong with it: a row that is no company would get a score, too. */
export function binsFromColumns(model: Scorecard, columns: readonly number[]): BinIndexes | string {
  const expected = columnCount(model);
  if (columns.length !== expected) return `expected ${expected} columns, one a bin, got ${columns.length}`;
  const bins: number[] = [];
  let from = 0;
  for (const { name, weights } of model.features) {
    const ones = columns.slice(from, from + weights.length);
    const bin = ones.indexOf(1);
    if (bin === -1 || ones.some((value, index) => value !== (index === bin ? 1 : 0))) {
      return `${name}: expected one 1 and else 0 in columns ${from + 1} to ${from + weights.length}, got ${ones.join(',')}`;
    }
    bins.push(bin);
    from += weights.length;
  }
  return bins;
}

/**
 * The model of an artifact.
 * @throws TenantAnalyticsError INPUT_CORRUPT
 */
export function readScorecard(artifact: unknown, where: string): Scorecard {
  const refuse = (what: string) =>
    new TenantAnalyticsError(
      'INPUT_CORRUPT',
      `${where}: expected a churn scorecard as model/train.py writes it, got ${what}. Train it again, or take the committed one.`,
    );
  const model = artifact as Scorecard & { readonly format: number };
  if (typeof artifact !== 'object' || artifact === null || model.format !== 1) throw refuse('another format');
  if (typeof model.version !== 'string' || !isNumber(model.intercept)) throw refuse('no version or no intercept');
  if (!isNumber(model.threshold)) throw refuse('no threshold');
  if (!Array.isArray(model.features)) throw refuse('no features');
  if (model.features.map(({ name }) => name).join() !== NAMES.join()) {
    throw refuse(`the features ${model.features.map(({ name }) => name).join(', ')} instead of ${NAMES.join(', ')}`);
  }
  for (const feature of model.features) {
    const wrong = wrongWith(feature);
    if (wrong !== null) throw refuse(`${feature.name}: ${wrong}`);
  }
  return model;
}

function wrongWith(feature: Feature): string | null {
  const { name, weights, means, typical } = feature;
  if (!areNumbers(weights) || !areNumbers(means) || !isNumber(typical)) return 'weights or means that are no numbers';
  const bins = (name === 'industry' ? feature.values : feature.edges)?.length + 1;
  if (weights.length !== bins || means.length !== bins) return `${weights.length} weights for ${bins} bins`;
  if (name !== 'industry' && !(areNumbers(feature.edges) && rises(feature.edges))) return 'edges that do not rise';
  const isFalling = weights.every((weight, bin) => bin === 0 || weight <= (weights[bin - 1] ?? 0));
  if (FALLING.includes(name) && !isFalling) return 'a weight that rises, so that more jobs would raise the risk';
  return null;
}

function rises(values: readonly number[]): boolean {
  return values.every((value, index) => index === 0 || value > (values[index - 1] ?? value));
}

function areNumbers(values: unknown): values is readonly number[] {
  return Array.isArray(values) && values.every(isNumber);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
