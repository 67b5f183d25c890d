import type { APIGatewayProxyEvent } from 'aws-lambda';
import { CORRELATION_HEADER, readCorrelationID } from '../../core/correlation.ts';
import { type Log, type LogFields, NO_LOG } from '../../observe/log.ts';
import { isSameSecret } from '../same-secret.ts';
import { type CompanyFeatures, readCompany } from './company-features.ts';
import { type Reason, reasonsFor } from './reasons.ts';
import { binsOf, columnsOf, contributionsOf, type Scorecard } from './scorecard.ts';
import type { UsageLimit } from './usage-limit.ts';

/** Asks a model endpoint about one row of CSV. */
export type InvokeModel = (csv: string, about?: CallAbout) => Promise<ModelAnswer>;

/** What a call carries beside its question, for logs and traces. */
export interface CallAbout {
  readonly correlationID?: string | undefined;
  readonly traceparent?: string | undefined;
}

export type ModelAnswer =
  | { readonly kind: 'answer'; readonly body: string }
  /** `isTemporary`: the same question can succeed later. */
  | { readonly kind: 'failure'; readonly isTemporary: boolean; readonly why: string };

export interface AssessChurnOptions {
  /** The key asked for as `x-api-key`; empty for none. */
  readonly apiKey: string;
  readonly usage: UsageLimit;
  readonly model: Scorecard;
  readonly invoke: InvokeModel;
  /** Told each call that the model did not answer. */
  readonly warn: (message: string, fields?: LogFields) => void;
  /** Told of each call at `debug`. */
  readonly log?: Log;
  /** Told what became of a call that was let in, or refused by the usage limit. */
  readonly came?: (outcome: AssessOutcome) => void;
}

export type AssessOutcome = 'at-risk' | 'stays' | 'no-score' | 'usage-refused';

/** What is read of API Gateway's event. */
export type ProxyEvent = Pick<APIGatewayProxyEvent, 'headers' | 'body' | 'isBase64Encoded'>;

export interface ProxyResult {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

export type AssessChurn = (event: ProxyEvent) => Promise<ProxyResult>;

/** What leaves: the stream application needs `churn` alone. */
interface ChurnScore {
  readonly churn: boolean;
  readonly probability: number;
  readonly threshold: number;
  readonly reasons: readonly Reason[];
  readonly modelVersion: string;
}

interface Prediction {
  readonly score: number;
  readonly contributions: Readonly<Record<string, number>> | null;
}

/** A company record is some 200 bytes. */
const MOST_BODY_BYTES = 16 * 1024;

/**
 * The scoring API behind API Gateway, or behind the local route: a company record in, the model's question and answer in
 * between, a score out. It knows no server: who calls it gives it an event.
 */
export function assessChurn(options: AssessChurnOptions): AssessChurn {
  const { log = NO_LOG } = options;
  return async (event) => {
    const correlationID = readCorrelationID(header(event.headers, CORRELATION_HEADER));
    const answer = await assess(event, options, correlationID);
    if (log.isDebug) log.debug('assessed', { correlationID, status: answer.statusCode });
    if (correlationID !== undefined) answer.headers[CORRELATION_HEADER] = correlationID;
    return answer;
  };
}

async function assess(
  { headers, body, isBase64Encoded }: ProxyEvent,
  options: AssessChurnOptions,
  correlationID: string | undefined,
): Promise<ProxyResult> {
  const { apiKey, usage, came } = options;
  if (apiKey !== '' && !isSameSecret(header(headers, 'x-api-key'), apiKey)) return message(403, 'Forbidden');
  const seconds = usage.take();
  if (seconds !== null) {
    came?.('usage-refused');
    return message(429, 'Too Many Requests', { 'retry-after': String(seconds) });
  }
  const text = isBase64Encoded ? Buffer.from(body ?? '', 'base64').toString('utf8') : (body ?? '');
  const bytes = Buffer.byteLength(text);
  if (bytes > MOST_BODY_BYTES) return message(413, `body: expected at most ${MOST_BODY_BYTES} bytes, got ${bytes}`);
  const company = parsed(text);
  if (typeof company === 'string') return message(400, company);
  return score(company, options, correlationID);
}

async function score(
  company: CompanyFeatures,
  { model, invoke, warn, came }: AssessChurnOptions,
  correlationID: string | undefined,
): Promise<ProxyResult> {
  const bins = binsOf(model, company);
  const answer = await invoke(columnsOf(model, bins).join(','), { correlationID });
  const prediction = answer.kind === 'answer' ? readPrediction(answer.body, model) : answer.why;
  if (typeof prediction === 'string') {
    came?.('no-score');
    warn(`churn scoring: no score: ${prediction}`, { correlationID });
    const isTemporary = answer.kind === 'failure' && answer.isTemporary;
    return isTemporary
      ? message(503, 'the model does not answer now; try again', { 'retry-after': '1' })
      : message(502, 'the model gave no score; see the log of the service');
  }
  const churnScore: ChurnScore = {
    churn: prediction.score >= model.threshold,
    probability: prediction.score,
    threshold: model.threshold,
    reasons: reasonsFor(model, company, prediction.contributions ?? contributionsOf(model, bins)),
    modelVersion: model.version,
  };
  came?.(churnScore.churn ? 'at-risk' : 'stays');
  return result(200, churnScore);
}

function parsed(text: string): CompanyFeatures | string {
  try {
    return readCompany(JSON.parse(text));
  } catch {
    return 'expected a company record as a JSON object, got no JSON';
  }
}

/**
 * The answer's first prediction, or what is wrong with it. The hosting of the first version (a linear learner) names no
 * version and gives no contributions: ours are the same. One that names another version may have other bins, and its
 * score would mean nothing.
 */
function readPrediction(body: string, model: Scorecard): Prediction | string {
  const expected = 'expected {"predictions":[{"score":…}]}';
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    return `${expected}, got ${body.slice(0, 100)}`;
  }
  const { predictions, modelVersion } = record(answer);
  const { score, contributions } = record(Array.isArray(predictions) ? predictions[0] : undefined);
  if (typeof score !== 'number' || !(score >= 0 && score <= 1)) return `${expected}, got ${body.slice(0, 100)}`;
  if (typeof modelVersion === 'string' && modelVersion !== model.version) {
    return `expected model ${model.version} behind the endpoint, got ${modelVersion}. Deploy handler and model together.`;
  }
  return { score, contributions: isNumbers(contributions) ? contributions : null };
}

function isNumbers(value: unknown): value is Readonly<Record<string, number>> {
  return value !== undefined && Object.values(record(value)).every((part) => typeof part === 'number');
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** API Gateway hands headers on as they were written. */
function header(headers: ProxyEvent['headers'] | null, name: string): string | undefined {
  return Object.entries(headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];
}

function message(statusCode: number, text: string, headers: Record<string, string> = {}): ProxyResult {
  return result(statusCode, { message: text }, headers);
}

function result(statusCode: number, body: object, headers: Record<string, string> = {}): ProxyResult {
  return { statusCode, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
