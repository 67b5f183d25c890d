import { messageOf } from '../base/errors.ts';
import type { Answer, CallFailure, HttpLimits, HttpStage, StateCodec } from '../runtime/contract.ts';
import { decodeProfile, encodeProfile } from './company-state.ts';
import { CORRELATION_HEADER, correlationID } from './correlation.ts';
import { type EnrichedCompany, type Score, scoredRow } from './rows.ts';
import { failure } from './tenant-lookup.ts';

/**
 * Scores each row for churn (DESIGN section 5): `POST {endpoint}` with the company record and its current counts. While
 * there is no score the row leaves as `unavailable`, and is asked again until there is one. Rows with equal features share
 * a call, which then carries the id of the first of them.
 */
export function churnScoring(
  inputs: readonly string[],
  endpoint: string,
  apiKey: string,
  limits: HttpLimits,
): HttpStage<EnrichedCompany, Score, EnrichedCompany> {
  const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json' };
  if (apiKey !== '') headers['x-api-key'] = apiKey;
  return {
    kind: 'http',
    id: 'churn-scoring',
    inputs,
    service: 'churn-scoring',
    limits,
    input: rowCodec,
    servesStale: false,
    orderKey: (row) => row.profile.companyID,
    cacheKey: (row) => JSON.stringify(features(row)),
    request: (row) => ({
      method: 'POST',
      url: endpoint,
      headers: { ...headers, [CORRELATION_HEADER]: correlationID(row.eventID) },
      body: JSON.stringify({ companyID: row.profile.companyID, ...features(row) }),
    }),
    respond: (_row, response) =>
      response.status === 200
        ? readScore(response.body)
        : failure('status', response.status, `expected 200, got ${response.status}`),
    complete: (row, score) => scoredRow(row, score, score === null ? 'unavailable' : 'scored', null),
    fail: (row, { kind, status }) => {
      const output = scoredRow(row, null, 'unavailable', null);
      // The service answered, and will not answer otherwise: asking again would only fill the store.
      const isRefused = kind === 'status' && status !== null && status < 500 && status !== 429;
      return isRefused ? { kind: 'emit', output } : { kind: 'emit-and-ask-again', output };
    },
  };
}

/** What the model looks at: equal features have equal scores, whoever's they are. */
function features({ profile, job30, job90 }: EnrichedCompany): Record<string, string | number> {
  const { industry, revenu, employees, monthlyFee, totalFee } = profile;
  return { industry, revenu, employees, job30, job90, monthlyFee, totalFee };
}

function readScore(body: string): Answer<Score> | CallFailure {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    return failure('not-an-answer', 200, `expected {"churn":true|false}: ${messageOf(error)}`);
  }
  const answer = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as Record<string, unknown>;
  if (typeof answer.churn !== 'boolean') {
    return failure('not-an-answer', 200, `expected {"churn":true|false}, got ${body.slice(0, 100)}`);
  }
  const value: Score = {
    churn: answer.churn,
    probability: typeof answer.probability === 'number' ? answer.probability : null,
    reasons: bounded(answer.reasons),
    modelVersion: typeof answer.modelVersion === 'string' ? answer.modelVersion : null,
  };
  return { kind: 'answer', value, negative: false };
}

/** They are written into each row: what is too long, or nested too deeply to be written at all, is left out. */
const MOST_REASONS_CHARACTERS = 8192;

function bounded(reasons: unknown): unknown {
  try {
    return reasons !== undefined && JSON.stringify(reasons).length <= MOST_REASONS_CHARACTERS ? reasons : null;
  } catch {
    return null;
  }
}

/** Rows on their way to be scored. Layout, version 1: the fields in order; a missing user or size is marked. */
export const rowCodec: StateCodec<EnrichedCompany> = {
  version: 1,
  encode(row, to) {
    encodeProfile(row.profile, to);
    to.number(row.job30);
    to.number(row.job90);
    to.byte((row.trigger === 'decay' ? 1 : 0) | (row.companyStale ? 2 : 0) | (row.userID === null ? 4 : 0));
    to.text(row.eventID);
    to.varint(row.eventTime);
    to.text(row.userID ?? '');
    to.number(row.nbJobs);
    to.number(row.dataSize ?? -1);
    to.varint(row.version);
  },
  decode(from) {
    const profile = decodeProfile(from);
    const [job30, job90, flags] = [from.number(), from.number(), from.byte()];
    const [eventID, eventTime, userID] = [from.text(), from.varint(), from.text()];
    const [nbJobs, dataSize, version] = [from.number(), from.number(), from.varint()];
    return {
      profile,
      job30,
      job90,
      score: null,
      scoreStatus: 'unavailable',
      riskChanged: null,
      trigger: (flags & 1) === 1 ? 'decay' : 'job',
      eventID,
      eventTime,
      userID: (flags & 4) === 4 ? null : userID,
      nbJobs,
      dataSize: dataSize < 0 ? null : dataSize,
      version,
      companyStale: (flags & 2) === 2,
    };
  },
};
