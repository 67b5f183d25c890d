import type { EpochMs } from '../base/time.ts';

/** A job event: tenant `companyID` submitted `nbJobs` jobs. */
export interface JobEvent {
  readonly kind: 'job';
  readonly companyID: string;
  readonly userID: string;
  readonly nbJobs: number;
  /** Event time: `creationDate`, else the record's arrival. */
  readonly time: EpochMs;
  /** Bytes, or null when the event does not say. */
  readonly dataSize: number | null;
  readonly eventID: string;
}

/** What the source of record says of a tenant. Its value never changes once made: rows share it. */
export interface CompanyProfile {
  readonly companyID: string;
  readonly industry: string;
  readonly revenu: number;
  readonly employees: number;
  readonly job30: number;
  readonly job90: number;
  readonly monthlyFee: number;
  readonly totalFee: number;
  /** For who encodes rows: the bytes that are the same in all rows with this profile. No part of the value; never copy it
   *  into another profile. */
  encoded?: { readonly [Format in 'json' | 'csv']?: ProfileBytes } | undefined;
}

/** The constant bytes of a row: [0, head) stand before its counts, the rest after them. */
export interface ProfileBytes {
  readonly bytes: Uint8Array;
  readonly head: number;
}

/** A company record with its time (`updatedAt`, else arrival); a null profile is a deletion. */
export interface CompanyRecord {
  readonly kind: 'company';
  readonly companyID: string;
  readonly time: EpochMs;
  readonly profile: CompanyProfile | null;
}

/**
 * What TenantManager answered for the company of a job: its record, `unknown` (404), or null when it was not asked
 * (`enrichment=join`, or an answer younger than the cache's TTL).
 */
export interface LookedUpJob {
  readonly kind: 'looked-up';
  readonly job: JobEvent;
  readonly answer: CompanyRecord | 'unknown' | null;
  /** The service could not be asked: the answer is the last one held. */
  readonly stale: boolean;
}

/** What flows into the company activity stage. */
export type ActivityInput = CompanyRecord | JobEvent | LookedUpJob;
