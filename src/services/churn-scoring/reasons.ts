import type { CompanyFeatures } from './company-features.ts';
import { type Category, categoryBin, type Feature, type Scorecard } from './scorecard.ts';

export interface Reason {
  readonly feature: string;
  /** To the log-odds, beyond what this feature adds for the mean of the companies trained on. */
  readonly contribution: number;
  readonly text: string;
}

const MOST_REASONS = 3;

/** What raises the risk of this company most, in words of who looks after it. */
export function reasonsFor(
  model: Scorecard,
  company: CompanyFeatures,
  contributions: Readonly<Record<string, number>>,
): readonly Reason[] {
  return model.features
    .map((feature) => ({ feature, contribution: rounded(contributions[feature.name] ?? 0) }))
    .filter(({ contribution }) => contribution > 0)
    .sort((one, other) => other.contribution - one.contribution)
    .slice(0, MOST_REASONS)
    .map(({ feature, contribution }) => ({ feature: feature.name, contribution, text: textOf(feature, company) }));
}

function textOf(feature: Feature, company: CompanyFeatures): string {
  if (feature.name === 'industry') return industryText(feature, company.industry.trim());
  const value = grouped(company[feature.name]);
  const typical = `typical ${grouped(feature.typical)}`;
  switch (feature.name) {
    case 'job30':
      return `${jobs(company.job30)} in 30 days, ${typical}`;
    case 'job90':
      return `${jobs(company.job90)} in 90 days, ${typical}`;
    case 'revenu':
      return `revenue of ${value}, ${typical}`;
    case 'employees':
      return `${value} employees, ${typical}`;
    case 'monthlyFee':
      return `monthly fee of ${value}, ${typical}`;
    case 'totalFee':
      return `total fee of ${value}, ${typical}`;
  }
}

function industryText(feature: Category, industry: string): string {
  const { values, leftPercent, typical } = feature;
  const bin = categoryBin(feature, industry);
  const known = values[bin];
  if (known !== undefined)
    return `${known}: ${leftPercent[bin] ?? typical} % of such companies left, typical ${typical} %`;
  const name = industry === '' ? 'no industry' : industry.slice(0, 60);
  return `${name}: not among the industries the model knows`;
}

function jobs(count: number): string {
  return count === 1 ? '1 job' : `${grouped(count)} jobs`;
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
