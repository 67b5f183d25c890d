import { companyIDField, countField, type Fields, invalid, numberField, shown, textField } from '../../core/fields.ts';
import { canBeStored, type TenantFields } from './tenant-repository.ts';

export type TenantBody = { readonly companyID: string; readonly fields: TenantFields } | { readonly problem: string };

export const MOST_INDUSTRY_CHARACTERS = 200;

const NUMBERS = ['revenu', 'employees', 'monthlyFee', 'totalFee'] as const;
const COUNTS = ['job30', 'job90'] as const;
const DEFAULTS = { job30: 0, job90: 0, monthlyFee: 0, totalFee: 0 };
/** Both names are in use, as readers of company records know. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['company_id', 'companyID'],
  ['tenantID', 'companyID'],
  ['employee', 'employees'],
]);
/** Part of what we answer, or of what the application makes of it: a record may come back as it was told. */
const PASSED_OVER: ReadonlySet<string> = new Set(['updatedAt', 'riskOfChurn']);
const KNOWN: ReadonlySet<string> = new Set(['companyID', 'industry', ...NUMBERS, ...COUNTS, ...PASSED_OVER]);
/** Names that a URL path takes for something else: nobody could ask for that tenant. */
const NO_ADDRESS: ReadonlySet<string> = new Set(['.', '..', 'count']);

/** The tenant to make: fees and counts may be left out. */
export function readNewTenant(body: unknown): TenantBody {
  const fields = readFields(body);
  if ('problem' in fields) return fields;
  const { companyID } = fields.named;
  if (typeof companyID === 'string' && NO_ADDRESS.has(companyID)) {
    return { problem: `companyID: expected a name that a URL can hold, got ${shown(companyID)}` };
  }
  return readTenant({ ...DEFAULTS, ...fields.named });
}

/** The whole record of a tenant, its id as the path has it: nothing is left as it was, so nothing may be left out. */
export function readWholeTenant(body: unknown, companyID: string): TenantBody {
  const fields = readFields(body);
  if ('problem' in fields) return fields;
  const { companyID: said = companyID } = fields.named;
  if (said !== companyID) {
    return { problem: `companyID: expected that of the path, ${shown(companyID)}, or none, got ${shown(said)}` };
  }
  return readTenant({ ...fields.named, companyID });
}

/** By the names of a company record; null is as good as left out. */
function readFields(body: unknown): { readonly named: Fields } | { readonly problem: string } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return { problem: 'expected a company record as a JSON object' };
  }
  const named: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(body)) {
    const name = OTHER_NAMES.get(key) ?? key;
    // A misspelt fee must not become a fee of 0.
    if (!KNOWN.has(name)) return { problem: `${key}: expected a field of a company record, got an unknown one` };
    if (value === null) continue;
    if (named[name] !== undefined) return { problem: `${name}: expected one, got another as ${shown(key)}` };
    named[name] = value;
  }
  return { named };
}

/** By the rules of the application (core/fields.ts): what is stored is what it accepts. */
function readTenant(fields: Fields): TenantBody {
  const companyID = companyIDField(fields);
  if (typeof companyID !== 'string') return { problem: companyID.message };
  if (!canBeStored(companyID)) return wrong('companyID', 'a text without U+0000', companyID);
  const industry = textField(fields, 'industry');
  if (typeof industry !== 'string') return { problem: industry.message };
  if (industry.trim() === '' || [...industry].length > MOST_INDUSTRY_CHARACTERS || !canBeStored(industry)) {
    return wrong('industry', `a text of 1 to ${MOST_INDUSTRY_CHARACTERS} characters, without U+0000`, industry);
  }
  const numbers = { revenu: 0, employees: 0, monthlyFee: 0, totalFee: 0, job30: 0, job90: 0 };
  for (const name of NUMBERS) {
    const value = numberField(fields, name, 'json');
    if (typeof value !== 'number') return { problem: value.message };
    if (value < 0) return wrong(name, 'a number of at least 0', value);
    numbers[name] = value;
  }
  for (const name of COUNTS) {
    const value = countField(fields, name, 'json');
    if (typeof value !== 'number') return { problem: value.message };
    numbers[name] = value;
  }
  return { companyID, fields: { industry, ...numbers } };
}

function wrong(name: string, expected: string, value: unknown): TenantBody {
  return { problem: invalid(name, expected, value).message };
}
