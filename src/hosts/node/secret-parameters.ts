import { TenantAnalyticsError } from '../../base/errors.ts';
import { type Parameters, SECRET_PARAMETERS } from '../../pipeline/parameters.ts';

/**
 * The parameters with secrets in the place of their ARNs of Secrets Manager. They are read once, at the start.
 * @throws TenantAnalyticsError SECRET_UNREADABLE
 */
export async function withSecrets(parameters: Parameters): Promise<Parameters> {
  const { application, consumer } = parameters;
  const secrets: Record<string, string> = {};
  for (const [name, value] of Object.entries(application)) {
    if (!SECRET_PARAMETERS.has(name)) continue;
    secrets[name] = await secretOf(String(value), name, consumer['aws.region']);
  }
  return { ...parameters, application: { ...application, ...secrets } };
}

/**
 * The value itself, or the secret that it is the ARN of.
 * @param name of what it is the value of, for messages
 * @throws TenantAnalyticsError SECRET_UNREADABLE
 */
export async function secretOf(value: string, name: string, region: string): Promise<string> {
  if (!value.startsWith('arn:')) return value;
  // Only now: the SDK takes a while to load.
  const { resolveSecret } = await import('../../connectors/aws/secrets.ts');
  try {
    return (await resolveSecret(value, region)).trim();
  } catch (error) {
    if (!(error instanceof TenantAnalyticsError)) throw error;
    throw new TenantAnalyticsError(error.code, `${name}: ${error.message}`, { cause: error });
  }
}
