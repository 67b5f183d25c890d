/** What a score is made of: a company with its current counts. */
export interface ChurnFeatures {
  readonly industry: string;
  readonly revenu: number;
  readonly employees: number;
  readonly job30: number;
  readonly job90: number;
  readonly monthlyFee: number;
  readonly totalFee: number;
}

export interface Reason {
  readonly feature: keyof ChurnFeatures;
  /** To the log-odds of the probability. */
  readonly contribution: number;
  readonly text: string;
}

export interface ChurnScore {
  readonly churn: boolean;
  readonly probability: number;
  readonly threshold: number;
  readonly reasons: readonly Reason[];
  readonly modelVersion: string;
}

const THRESHOLD = 0.5;
/** Log-odds without a reason: 0.12. */
const BIAS = -2;
const RISKY_INDUSTRIES: ReadonlySet<string> = new Set(['retail', 'consulting', 'it']);

/**
 * The rule by which the first version's training data is labelled: a company leaves if it is in retail, consulting or IT
 * and makes less than 100,000, or submits few jobs. No trained model, and not calibrated: each part that holds adds 3 to
 * the log-odds, so none gives 0.12, one 0.73, two 0.98, three 1.00, and `churn` is exactly the rule.
 */
export function scoreByRules({ industry, revenu, job30, job90 }: ChurnFeatures): ChurnScore {
  const reasons: Reason[] = [];
  const holds = (feature: keyof ChurnFeatures, text: string) => reasons.push({ feature, contribution: 3, text });
  if (job30 < 5) holds('job30', `${counted(job30)} in 30 days, fewer than 5`);
  if (job90 < 20) holds('job90', `${counted(job90)} in 90 days, fewer than 20`);
  if (RISKY_INDUSTRIES.has(industry.trim().toLowerCase()) && revenu < 100_000) {
    holds('industry', `${industry.trim()} with a revenue of ${revenu}, less than 100000`);
  }
  const logOdds = reasons.reduce((sum, { contribution }) => sum + contribution, BIAS);
  const probability = Math.round(1000 / (1 + Math.exp(-logOdds))) / 1000;
  return { churn: probability >= THRESHOLD, probability, threshold: THRESHOLD, reasons, modelVersion: 'rules-1' };
}

function counted(jobs: number): string {
  return jobs === 1 ? '1 job' : `${jobs} jobs`;
}
