import { type CallFailure, type HttpLimits, type HttpStage, Rejection, type StateCodec } from '../runtime/contract.ts';
import { CORRELATION_HEADER, correlationID } from './correlation.ts';
import { companyFromJson } from './decode-company.ts';
import type { CompanyRecord, JobEvent, LookedUpJob } from './events.ts';

/** What TenantManager says of a company: its record, or that it has none (404). */
export type TenantAnswer = CompanyRecord | 'unknown';

/**
 * Asks TenantManager for the company of each job event that was not asked within the cache's TTL (DESIGN section 5):
 * `GET {endpoint}/api/v1/tenants/{companyID}`. While it cannot be asked, the last answer serves; with none, the event is
 * held, never a dead letter.
 */
export function tenantLookup(
  inputs: readonly string[],
  endpoint: string,
  token: string,
  limits: HttpLimits,
): HttpStage<JobEvent, TenantAnswer, LookedUpJob> {
  const base = endpoint.replace(/\/+$/, '');
  const headers: Record<string, string> = { accept: 'application/json' };
  if (token !== '') headers.authorization = `Bearer ${token}`;
  return {
    kind: 'http',
    id: 'tenant-lookup',
    inputs,
    service: 'tenant-manager',
    limits,
    input: jobEventCodec,
    servesStale: true,
    orderKey: (job) => job.companyID,
    cacheKey: (job) => (isAddressable(job.companyID) ? job.companyID : null),
    request: (job) => ({
      method: 'GET',
      url: `${base}/api/v1/tenants/${encodeURIComponent(job.companyID)}`,
      headers: { ...headers, [CORRELATION_HEADER]: correlationID(job.eventID) },
      body: null,
    }),
    respond: (job, response) => {
      if (NO_SUCH_COMPANY.has(response.status)) return { kind: 'answer', value: 'unknown', negative: true };
      if (response.status !== 200) {
        return failure('status', response.status, `expected 200 or 404 for ${job.companyID}, got ${response.status}`);
      }
      const record = companyFromJson(response.body, response.receivedAt);
      if (record instanceof Rejection)
        return failure('not-an-answer', 200, `${record.message} (company ${job.companyID})`);
      if (record.companyID !== job.companyID) {
        return failure('not-an-answer', 200, `expected company ${job.companyID}, got ${record.companyID}`);
      }
      return { kind: 'answer', value: record, negative: false };
    },
    complete: (job, answer, stale) => ({ kind: 'looked-up', job, answer, stale }),
    fail: () => ({ kind: 'hold' }),
  };
}

/**
 * Besides 404: what a server answers that does not take this id at all. It will not take it later either, and its event
 * must not hold up those of all others.
 */
const NO_SUCH_COMPANY: ReadonlySet<number> = new Set([400, 404, 410, 414, 422]);

/**
 * `.` and `..` name other folders in a URL, however they are written, and `count` is a question of its own: of these
 * companies the stream alone tells.
 */
function isAddressable(companyID: string): boolean {
  return companyID !== '.' && companyID !== '..' && companyID !== 'count';
}

export function failure(kind: CallFailure['kind'], status: number | null, message: string): CallFailure {
  return { kind, status, message };
}

/** Layout, version 1: the fields in order; a missing data size as -1. */
export const jobEventCodec: StateCodec<JobEvent> = {
  version: 1,
  encode(job, to) {
    to.text(job.companyID);
    to.text(job.userID);
    to.number(job.nbJobs);
    to.varint(job.time);
    to.number(job.dataSize ?? -1);
    to.text(job.eventID);
  },
  decode(from) {
    const [companyID, userID, nbJobs, time, dataSize, eventID] = [
      from.text(),
      from.text(),
      from.number(),
      from.varint(),
      from.number(),
      from.text(),
    ];
    return { kind: 'job', companyID, userID, nbJobs, time, dataSize: dataSize < 0 ? null : dataSize, eventID };
  },
};
