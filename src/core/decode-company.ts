import type { EpochMs } from '../base/time.ts';
import { type Columns, type RecordMeta, Rejection } from '../runtime/contract.ts';
import type { CompanyProfile, CompanyRecord } from './events.ts';
import {
  companyIDField,
  countField,
  type Fields,
  invalid,
  type Notation,
  numberField,
  textField,
  timeField,
} from './fields.ts';
import { type RecordShape, readHeader, readJson, readNotation } from './notation.ts';

/** Company records as DESIGN section 3 has them: JSON, or CSV with the eight columns in that order or a header. */
const SHAPE: RecordShape = {
  what: 'a company record',
  names: {
    companyID: ['company_id', 'tenantID', 'Company'],
    industry: [],
    revenu: ['Revenue'],
    employees: ['employee'],
    job30: ['#job30'],
    job90: ['#job90'],
    monthlyFee: ['MonthlyCharge'],
    totalFee: ['TotalCharge'],
    riskOfChurn: [],
    updatedAt: [],
    deleted: [],
  },
  required: ['companyID', 'industry', 'revenu', 'employees', 'job30', 'job90', 'monthlyFee', 'totalFee'],
  positions: [
    'companyID',
    'industry',
    'revenu',
    'employees',
    'job30',
    'job90',
    'monthlyFee',
    'totalFee',
    'riskOfChurn',
  ],
};

export function companyHeader(line: string): Columns | undefined | Rejection {
  return readHeader(line, SHAPE);
}

/** One company record; its time is `updatedAt`, else its arrival. `riskOfChurn` is not read: the score is ours. */
export function decodeCompany(
  bytes: Uint8Array,
  from: number,
  to: number,
  meta: RecordMeta,
): CompanyRecord | Rejection {
  const notated = readNotation(bytes, from, to, meta.columns, SHAPE);
  if (notated instanceof Rejection) return notated;
  return companyFromFields(notated.fields, notated.notation, meta.arrivalTime);
}

/** A company record as JSON text: what TenantManager answers. */
export function companyFromJson(text: string, arrivalTime: EpochMs): CompanyRecord | Rejection {
  const notated = readJson(text, SHAPE);
  return notated instanceof Rejection ? notated : companyFromFields(notated.fields, notated.notation, arrivalTime);
}

function companyFromFields(fields: Fields, notation: Notation, arrival: number): CompanyRecord | Rejection {
  const companyID = companyIDField(fields);
  if (companyID instanceof Rejection) return companyID;
  const updatedAt = timeField(fields, 'updatedAt');
  if (updatedAt instanceof Rejection) return updatedAt;
  const deleted = deletedField(fields, notation);
  if (deleted instanceof Rejection) return deleted;
  const profile = deleted ? null : readProfile(companyID, fields, notation);
  if (profile instanceof Rejection) return profile;
  return { kind: 'company', companyID, time: updatedAt ?? arrival, profile };
}

function readProfile(companyID: string, fields: Fields, notation: Notation): CompanyProfile | Rejection {
  const industry = textField(fields, 'industry');
  if (industry instanceof Rejection) return industry;
  const revenu = numberField(fields, 'revenu', notation);
  if (revenu instanceof Rejection) return revenu;
  const employees = numberField(fields, 'employees', notation);
  if (employees instanceof Rejection) return employees;
  const job30 = countField(fields, 'job30', notation);
  if (job30 instanceof Rejection) return job30;
  const job90 = countField(fields, 'job90', notation);
  if (job90 instanceof Rejection) return job90;
  const monthlyFee = numberField(fields, 'monthlyFee', notation);
  if (monthlyFee instanceof Rejection) return monthlyFee;
  const totalFee = numberField(fields, 'totalFee', notation);
  if (totalFee instanceof Rejection) return totalFee;
  return { companyID, industry, revenu, employees, job30, job90, monthlyFee, totalFee };
}

function deletedField(fields: Fields, notation: Notation): boolean | Rejection {
  const value = notation === 'csv' && typeof fields.deleted === 'string' ? csvBoolean(fields.deleted) : fields.deleted;
  if (value === undefined) return false;
  return typeof value === 'boolean' ? value : invalid('deleted', 'true or false', fields.deleted);
}

function csvBoolean(cell: string): boolean | string {
  const word = cell.trim().toLowerCase();
  return word === 'true' ? true : word === 'false' ? false : cell;
}
