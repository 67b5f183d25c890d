import type { Random } from '../../base/random.ts';
import type { EpochMs } from '../../base/time.ts';
import type { TenantLife } from './tenant-life.ts';

export interface JobRecord {
  readonly partitionKey: string;
  readonly data: Uint8Array;
  readonly isBroken: boolean;
}

export interface JobShares {
  /** Of job events: as a CSV line. */
  readonly csvShare: number;
  /** Of job events: one that cannot be used. */
  readonly brokenShare: number;
}

/** A job event of a tenant's, as its producers write it; `creationDate` null: its time is that of its arrival. */
export function jobRecord(
  { companyID, users }: TenantLife,
  nbJobs: number,
  creationDate: EpochMs | null,
  { csvShare, brokenShare }: JobShares,
  random: Random,
): JobRecord {
  const userID = `user_${1 + Math.floor(random() * users)}`;
  // From 1 KiB to 1 GiB, each factor as likely.
  const dataSize = Math.round(2 ** (10 + 20 * random()));
  const isCsv = random() < csvShare;
  const isBroken = random() < brokenShare;
  const kind = Math.floor(random() * BROKEN.length);
  const event = { companyID, userID, nbJobs, ...(creationDate === null ? {} : { creationDate }), dataSize };
  const csv = [companyID, userID, nbJobs, ...(creationDate === null ? [] : [creationDate])].join(',');
  const whole = isCsv ? csv : JSON.stringify(event);
  const text = isBroken ? (BROKEN[kind]?.(event) ?? '') : whole;
  return { partitionKey: companyID, data: encoder.encode(text), isBroken };
}

const encoder = new TextEncoder();

/** What goes wrong with producers: a record cut off, a field missing, a count that is none, a company nobody knows. */
const BROKEN: readonly ((event: { readonly companyID: string }) => string)[] = [
  (event) => JSON.stringify(event).slice(0, -10),
  (event) => JSON.stringify({ ...event, companyID: undefined }),
  (event) => JSON.stringify({ ...event, nbJobs: -1 }),
  (event) => JSON.stringify({ ...event, companyID: `${event.companyID}_that_nobody_knows` }),
];
