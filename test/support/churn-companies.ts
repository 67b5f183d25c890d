import type { Random } from '../../src/base/random.ts';
import type { CompanyFeatures } from '../../src/services/churn-scoring/company-features.ts';

const INDUSTRIES = ['gov', 'health', 'retail', 'travel', 'energy', 'IT', 'finance', 'consulting', 'service'] as const;

/** A company of the generator that the churn model is trained on (model/train.py), and whether it left. */
export function generatedCompany(random: Random): CompanyFeatures & { readonly left: boolean } {
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const industry = INDUSTRIES[between(0, 8)] ?? 'gov';
  const revenu = 10 * between(1, 9999);
  const employees = Math.round(revenu / (1 + between(1, 3)));
  const [job30, job90, monthlyFee] = [between(3, 9), between(10, 99), between(100, 1199)];
  const totalFee = between(monthlyFee, 12 * monthlyFee - 1);
  const isRisky = ['retail', 'consulting', 'IT'].includes(industry) && revenu < 100_000;
  return { industry, revenu, employees, job30, job90, monthlyFee, totalFee, left: isRisky || job30 < 5 || job90 < 20 };
}

interface Scored {
  readonly probability: number;
  readonly left: boolean;
}

/** The share of pairs of one that left and one that did not, in which the one that left has the higher score. */
export function areaUnderCurve(scored: readonly Scored[]): number {
  const sorted = [...scored].sort((one, other) => one.probability - other.probability);
  let wins = 0;
  let stayedBelow = 0;
  for (let from = 0; from < sorted.length; ) {
    const tied = sorted.filter(({ probability }) => probability === sorted[from]?.probability);
    const left = tied.filter((one) => one.left).length;
    wins += left * (stayedBelow + (tied.length - left) / 2);
    stayedBelow += tied.length - left;
    from += tied.length;
  }
  const left = scored.filter((one) => one.left).length;
  return wins / (left * (scored.length - left));
}

export function accuracy(scored: readonly Scored[], threshold: number): number {
  return scored.filter(({ probability, left }) => probability >= threshold === left).length / scored.length;
}

export function brierScore(scored: readonly Scored[]): number {
  return scored.reduce((sum, { probability, left }) => sum + (probability - (left ? 1 : 0)) ** 2, 0) / scored.length;
}
