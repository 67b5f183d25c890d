import type { ByteWriter } from '../base/bytes.ts';
import { ByteWriter as Writer } from '../base/bytes.ts';
import { DAY_MS, dayOf, type EpochMs, isoDate, type UtcDay } from '../base/time.ts';
import type { CompanyProfile, JobEvent } from './events.ts';

export type ScoreStatus = 'scored' | 'unavailable' | 'off';

/** What the churn model answered; `probability`, `reasons` and `modelVersion` as far as it told. */
export interface Score {
  readonly churn: boolean;
  readonly probability: number | null;
  readonly reasons: unknown;
  readonly modelVersion: string | null;
}

/** One row: a company as of one of its events, or of a midnight at which its counts changed by themselves. */
export interface EnrichedCompany {
  readonly profile: CompanyProfile;
  readonly job30: number;
  readonly job90: number;
  /** Null when there is no score: never a default false. */
  readonly score: Score | null;
  readonly scoreStatus: ScoreStatus;
  readonly riskChanged: 'at-risk' | 'recovered' | null;
  readonly trigger: 'job' | 'decay';
  readonly eventID: string;
  readonly eventTime: EpochMs;
  /** Null on a decay row. */
  readonly userID: string | null;
  readonly nbJobs: number;
  readonly dataSize: number | null;
  /** 1, 2, 3 … per company. */
  readonly version: number;
  /** The company's record is the last one held: TenantManager could not be asked. */
  readonly companyStale: boolean;
}

/* Rows are literals of one fixed shape: an object spread here was measured five times slower. */

export function jobRow(
  profile: CompanyProfile,
  job30: number,
  job90: number,
  version: number,
  job: JobEvent,
  companyStale: boolean,
  scoreStatus: ScoreStatus,
): EnrichedCompany {
  return {
    profile,
    job30,
    job90,
    score: null,
    scoreStatus,
    riskChanged: null,
    trigger: 'job',
    eventID: job.eventID,
    eventTime: job.time,
    userID: job.userID,
    nbJobs: job.nbJobs,
    dataSize: job.dataSize,
    version,
    companyStale,
  };
}

export function decayRow(
  profile: CompanyProfile,
  job30: number,
  job90: number,
  version: number,
  day: UtcDay,
  scoreStatus: ScoreStatus,
): EnrichedCompany {
  return {
    profile,
    job30,
    job90,
    score: null,
    scoreStatus,
    riskChanged: null,
    trigger: 'decay',
    eventID: `decay:${profile.companyID}:${isoDate(day)}`,
    eventTime: day * DAY_MS,
    userID: null,
    nbJobs: 0,
    dataSize: null,
    version,
    companyStale: false,
  };
}

/** The row with what is known of its score now. */
export function scoredRow(
  row: EnrichedCompany,
  score: Score | null,
  scoreStatus: ScoreStatus,
  riskChanged: EnrichedCompany['riskChanged'],
): EnrichedCompany {
  return {
    profile: row.profile,
    job30: row.job30,
    job90: row.job90,
    score,
    scoreStatus,
    riskChanged,
    trigger: row.trigger,
    eventID: row.eventID,
    eventTime: row.eventTime,
    userID: row.userID,
    nbJobs: row.nbJobs,
    dataSize: row.dataSize,
    version: row.version,
    companyStale: row.companyStale,
  };
}

/** The parts of a row that stay the same as long as the profile does, as bytes. */
interface ProfileBytes {
  readonly json: readonly [head: Uint8Array, tail: Uint8Array];
  readonly csv: readonly [head: Uint8Array, tail: Uint8Array];
}

/**
 * Makes the encoders of rows. They keep the bytes of each profile they have met, for as long as the profile lives, and
 * the name of the last partition: neither can be seen from outside.
 */
export function rowEncoders(): {
  json(row: EnrichedCompany, to: ByteWriter): void;
  csv(row: EnrichedCompany, to: ByteWriter): void;
  partition(row: EnrichedCompany): string;
} {
  const profiles = new WeakMap<CompanyProfile, ProfileBytes>();
  let partitionDay: UtcDay = -1;
  let partitionName = '';

  function bytesOf(profile: CompanyProfile): ProfileBytes {
    const held = profiles.get(profile);
    if (held !== undefined) return held;
    const made = profileBytes(profile);
    profiles.set(profile, made);
    return made;
  }

  return {
    json(row, to) {
      const [head, tail] = bytesOf(row.profile).json;
      to.bytes(head);
      to.digits(row.job30);
      to.utf8(',"job90":');
      to.digits(row.job90);
      to.bytes(tail);
      writeJsonRest(row, to);
    },
    csv(row, to) {
      const [head, tail] = bytesOf(row.profile).csv;
      to.bytes(head);
      to.digits(row.job30);
      to.utf8(',');
      to.digits(row.job90);
      to.bytes(tail);
      if (row.score !== null) to.utf8(String(row.score.churn));
      to.utf8('\n');
    },
    partition(row) {
      const day = dayOf(row.eventTime);
      if (day !== partitionDay) {
        partitionDay = day;
        partitionName = `dt=${isoDate(day)}`;
      }
      return partitionName;
    },
  };
}

function writeJsonRest(row: EnrichedCompany, to: ByteWriter): void {
  const score = row.score;
  if (score === null) {
    to.utf8('null');
  } else {
    to.utf8(String(score.churn));
    if (score.probability !== null) to.utf8(`,"churnProbability":${JSON.stringify(score.probability)}`);
    if (score.reasons !== null) to.utf8(`,"reasons":${JSON.stringify(score.reasons)}`);
    if (score.modelVersion !== null) to.utf8(`,"modelVersion":${JSON.stringify(score.modelVersion)}`);
  }
  to.utf8(`,"scoreStatus":"${row.scoreStatus}"`);
  if (row.riskChanged !== null) to.utf8(`,"riskChanged":"${row.riskChanged}"`);
  to.utf8(`,"trigger":"${row.trigger}","eventID":`);
  to.utf8(JSON.stringify(row.eventID));
  to.utf8(',"eventTime":');
  to.utf8(String(row.eventTime));
  if (row.userID !== null) {
    to.utf8(',"userID":');
    to.utf8(JSON.stringify(row.userID));
  }
  to.utf8(',"nbJobs":');
  to.digits(row.nbJobs);
  if (row.dataSize !== null) {
    to.utf8(',"dataSize":');
    to.digits(row.dataSize);
  }
  to.utf8(',"version":');
  to.digits(row.version);
  to.utf8(row.companyStale ? ',"companyStale":true}\n' : ',"companyStale":false}\n');
}

function profileBytes(profile: CompanyProfile): ProfileBytes {
  const { companyID, industry, revenu, employees, monthlyFee, totalFee } = profile;
  const json = JSON.stringify({ companyID, industry, revenu, employees });
  const cells = [companyID, industry, String(revenu), String(employees)].map(csvCell);
  return {
    json: [
      utf8(`${json.slice(0, -1)},"job30":`),
      utf8(`,"monthlyFee":${JSON.stringify(monthlyFee)},"totalFee":${JSON.stringify(totalFee)},"riskOfChurn":`),
    ],
    csv: [utf8(`${cells.join(',')},`), utf8(`,${monthlyFee},${totalFee},`)],
  };
}

/** RFC 4180: quoted when it holds a comma, a quote or a line break. */
export function csvCell(value: string): string {
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

function utf8(text: string): Uint8Array {
  const writer = new Writer(text.length);
  writer.utf8(text);
  return writer.take();
}
