import { MOST_INDUSTRY_CHARACTERS } from './tenant-body.ts';

/** What requests and answers look like, for the OpenAPI page. Bodies are checked by tenant-body.ts. */

const amount = (description: string) => ({ type: 'number', minimum: 0, description });
const count = (description: string) => ({ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });

const COMPANY_ID = { type: 'string', minLength: 1, maxLength: 128 } as const;

const FIELDS = {
  industry: { type: 'string', minLength: 1, maxLength: MOST_INDUSTRY_CHARACTERS },
  revenu: amount('revenue of a year'),
  employees: amount('how many work there'),
  job30: count('jobs in the 30 days before updatedAt; a change restates the counts'),
  job90: count('jobs in the 90 days before updatedAt'),
  monthlyFee: amount('what the tenant pays each month'),
  totalFee: amount('what it has paid so far'),
};

const TENANT = {
  type: 'object',
  properties: { companyID: COMPANY_ID, ...FIELDS, updatedAt: { type: 'string', format: 'date-time' } },
  required: ['companyID', ...Object.keys(FIELDS), 'updatedAt'],
};

export const NEW_TENANT = {
  type: 'object',
  properties: { companyID: COMPANY_ID, ...FIELDS },
  required: ['companyID', 'industry', 'revenu', 'employees'],
  example: { companyID: 'comp_new', industry: 'retail', revenu: 29080, employees: 145, monthlyFee: 461 },
};

export const WHOLE_TENANT = {
  type: 'object',
  properties: { companyID: { ...COMPANY_ID, description: 'as in the path, or left out' }, ...FIELDS },
  required: Object.keys(FIELDS),
};

export const PROBLEM = (description: string) => ({
  description,
  type: 'object',
  properties: { message: { type: 'string' } },
  required: ['message'],
});

export const BAD_REQUEST = PROBLEM('names the field that cannot be used');
export const UNAUTHORIZED = PROBLEM('a bearer token is asked for');
export const UNKNOWN = PROBLEM('there is no such tenant');
export const STALE = PROBLEM('it was changed since: the ETag of If-Match is not that of the tenant');

export const ONE_TENANT = (description: string) => ({
  description,
  ...TENANT,
  headers: { etag: { type: 'string', description: 'of this state of the tenant, for If-Match' } },
});

const INDUSTRY = { type: 'string', description: 'only tenants of this industry, in any case' } as const;
export const MOST_TENANTS = 500;

export const PAGE_QUERY = {
  type: 'object',
  properties: {
    limit: { type: 'integer', minimum: 1, maximum: MOST_TENANTS, default: 100 },
    offset: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 },
    industry: INDUSTRY,
  },
} as const;

export const COUNT_QUERY = { type: 'object', properties: { industry: INDUSTRY } } as const;

export const TENANT_PAGE = {
  description: 'a page of tenants, in the order in which they were made; total is that of all pages',
  type: 'object',
  properties: {
    tenants: { type: 'array', items: TENANT },
    total: { type: 'integer' },
    limit: { type: 'integer' },
    offset: { type: 'integer' },
  },
};

export const COUNT = {
  description: 'how many there are',
  type: 'object',
  properties: { count: { type: 'integer' } },
};

export const PATH = {
  type: 'object',
  properties: { companyID: { type: 'string' } },
  required: ['companyID'],
} as const;

export const IF_MATCH = {
  type: 'object',
  properties: { 'if-match': { type: 'string', description: 'ETag of the tenant as it was looked at; "*" for any' } },
} as const;
