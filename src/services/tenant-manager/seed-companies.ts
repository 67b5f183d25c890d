import { seededRandom } from '../../base/random.ts';
import type { EpochMs } from '../../base/time.ts';

/** A company record as TenantManager answers it. */
export interface Tenant {
  readonly companyID: string;
  readonly industry: string;
  readonly revenu: number;
  readonly employees: number;
  readonly job30: number;
  readonly job90: number;
  readonly monthlyFee: number;
  readonly totalFee: number;
  /** ISO 8601. */
  readonly updatedAt: string;
}

type Seed = readonly [string, string, number, number, number, number, number, number];

/** The companies of the first version (conformance/first-version/companies.csv). */
const FIRST: readonly Seed[] = [
  ['comp_0', 'travel', 9270, 4635, 3, 56, 446, 1476],
  ['comp_1', 'finance', 99420, 49710, 7, 97, 424, 3039],
  ['comp_2', 'gov', 83410, 27803, 7, 66, 1128, 1422],
  ['comp_3', 'service', 59650, 19883, 5, 58, 967, 3661],
  ['comp_4', 'retail', 29080, 14540, 4, 13, 461, 1172],
  ['comp_5', 'finance', 83590, 20898, 5, 75, 472, 3735],
  ['comp_6', 'retail', 86080, 28693, 9, 85, 824, 4475],
  ['comp_7', 'energy', 65520, 16380, 8, 69, 1186, 5200],
  ['comp_8', 'service', 81610, 20402, 7, 55, 1031, 3904],
];

const INDUSTRIES = ['travel', 'finance', 'gov', 'service', 'retail', 'energy', 'IT', 'consulting', 'health'] as const;

/**
 * `count` companies, always the same for a seed: the nine of the first version, then generated ones of the same kind.
 * `updatedAt` is the day on which their job30 and job90 are counted.
 */
export function seedCompanies(count: number, seed: number, updatedAt: EpochMs): readonly Tenant[] {
  const random = seededRandom(seed);
  const companies = [...FIRST];
  for (let index = FIRST.length; index < count; index++) companies.push(generated(index, random));
  const time = new Date(updatedAt).toISOString();
  return companies
    .slice(0, count)
    .map(([companyID, industry, revenu, employees, job30, job90, monthlyFee, totalFee]) => ({
      companyID,
      industry,
      revenu,
      employees,
      job30,
      job90,
      monthlyFee,
      totalFee,
      updatedAt: time,
    }));
}

function generated(index: number, random: () => number): Seed {
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const industry = INDUSTRIES[between(0, INDUSTRIES.length - 1)] ?? INDUSTRIES[0];
  // Few are large: 10,000 to 1,000,000, each factor of ten as likely.
  const revenu = Math.round(10 ** (4 + 2 * random()) / 10) * 10;
  const employees = Math.max(1, Math.round(revenu / between(2, 6)));
  const job30 = between(0, 30);
  const job90 = job30 + between(0, 60);
  const monthlyFee = between(100, 1200);
  return [`comp_${index}`, industry, revenu, employees, job30, job90, monthlyFee, monthlyFee * between(1, 12)];
}
