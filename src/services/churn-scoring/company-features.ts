/** What a score is made of: a company with its current counts. */
export interface CompanyFeatures {
  readonly industry: string;
  readonly revenu: number;
  readonly employees: number;
  readonly job30: number;
  readonly job90: number;
  readonly monthlyFee: number;
  readonly totalFee: number;
}

/** The features of a company record as it is sent, or what is wrong with it. Any text is an industry. */
export function readCompany(body: unknown): CompanyFeatures | string {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return 'expected a company record as a JSON object';
  const record = body as Readonly<Record<string, unknown>>;
  const { industry, job30, job90, revenu, monthlyFee, totalFee } = record;
  // Both names are in use.
  const employees = record.employees ?? record.employee;
  if (typeof industry !== 'string') return wrong('industry', 'a text', industry);
  if (!isNumber(revenu)) return wrong('revenu', 'a number', revenu);
  if (!isNumber(employees)) return wrong('employees', 'a number', employees);
  if (!isCount(job30)) return wrong('job30', 'an integer of at least 0', job30);
  if (!isCount(job90)) return wrong('job90', 'an integer of at least 0', job90);
  if (!isNumber(monthlyFee)) return wrong('monthlyFee', 'a number', monthlyFee);
  if (!isNumber(totalFee)) return wrong('totalFee', 'a number', totalFee);
  return { industry, revenu, employees, job30, job90, monthlyFee, totalFee };
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return isNumber(value) && Number.isSafeInteger(value) && value >= 0;
}

function wrong(name: string, expected: string, value: unknown): string {
  return `${name}: expected ${expected}, got ${shown(value)}`;
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return String(JSON.stringify(value)).slice(0, 60);
}
