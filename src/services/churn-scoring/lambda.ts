import { TenantAnalyticsError } from '../../base/errors.ts';
import { jsonLog } from '../../observe/json-log.ts';
import { LOG_LEVELS, type Log } from '../../observe/log.ts';
import { Secrets } from '../../observe/secrets.ts';
import { type AssessChurn, assessChurn } from './assess-churn.ts';
import { churnModel } from './churn-model.ts';
import { sageMakerEndpoint } from './sagemaker-endpoint.ts';
import { GENEROUS, UsageLimit } from './usage-limit.ts';

/**
 * `POST /prod/assessChurn` as it is deployed. Its environment:
 *
 * - `CHURN_SCORING_API_KEY`: the key asked for. Set and empty: API Gateway in front asks for one; not set is refused.
 * - `MODEL_ENDPOINT_NAME`: the SageMaker endpoint.
 * - `MODEL_ENDPOINT_URL`: where SageMaker's runtime API is; the region's unless set.
 * - `USAGE_PER_SECOND`, `USAGE_BURST`: the limit of one instance, beside API Gateway's usage plan.
 * - `LOG_LEVEL`: `debug`, `info` (unless set), `warn`, `error`; JSON lines on standard output. At `debug` each call is told,
 *   with the correlation id that it came with.
 */
export const handler: AssessChurn = fromEnvironment(process.env);

function fromEnvironment(environment: NodeJS.ProcessEnv): AssessChurn {
  const apiKey = environment.CHURN_SCORING_API_KEY;
  if (apiKey === undefined) {
    throw new TenantAnalyticsError(
      'PARAMETER_MISSING',
      'CHURN_SCORING_API_KEY: expected the key that callers send as x-api-key, or empty if API Gateway asks for it, got nothing.',
    );
  }
  const endpointName = environment.MODEL_ENDPOINT_NAME ?? '';
  if (endpointName === '') {
    throw new TenantAnalyticsError(
      'PARAMETER_MISSING',
      'MODEL_ENDPOINT_NAME: expected the name of the SageMaker endpoint, got nothing.',
    );
  }
  const { invoke } = sageMakerEndpoint({
    region: environment.AWS_REGION ?? 'us-west-2',
    url: environment.MODEL_ENDPOINT_URL ?? '',
    endpointName,
  });
  const plan = {
    perSecond: positive(environment, 'USAGE_PER_SECOND', GENEROUS.perSecond),
    burst: positive(environment, 'USAGE_BURST', GENEROUS.burst),
  };
  const usage = new UsageLimit(plan, () => performance.now());
  const log = logOf(environment, apiKey);
  return assessChurn({ apiKey, usage, model: churnModel, invoke, log, warn: log.warn });
}

function logOf(environment: NodeJS.ProcessEnv, apiKey: string): Log {
  const secrets = new Secrets();
  secrets.hide(apiKey);
  secrets.hideEnvironment(environment);
  const asked = environment.LOG_LEVEL ?? '';
  const level = asked === '' ? 'info' : LOG_LEVELS.find((one) => one === asked);
  if (level === undefined) {
    throw new TenantAnalyticsError(
      'PARAMETER_INVALID',
      `LOG_LEVEL: expected one of ${LOG_LEVELS.join(', ')}, got ${asked}.`,
    );
  }
  return jsonLog(level, secrets, process.stdout).of('churn-scoring');
}

function positive(environment: NodeJS.ProcessEnv, name: string, byDefault: number): number {
  const text = environment[name] ?? '';
  if (text === '') return byDefault;
  const value = Number(text);
  if (value >= 1 && Number.isFinite(value)) return value;
  throw new TenantAnalyticsError('PARAMETER_INVALID', `${name}: expected a number of at least 1, got ${text}.`);
}
