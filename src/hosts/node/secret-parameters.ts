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
    if (!SECRET_PARAMETERS.has(name) || !String(value).startsWith('arn:')) continue;
    // Only now: the SDK takes a while to load.
    const { resolveSecret } = await import('../../connectors/aws/secrets.ts');
    secrets[name] = await resolveSecret(String(value), consumer['aws.region']).then(
      (secret) => secret.trim(),
      (error: unknown) => {
        throw error instanceof TenantAnalyticsError
          ? new TenantAnalyticsError(error.code, `${name}: ${error.message}`, { cause: error })
          : error;
      },
    );
  }
  return { ...parameters, application: { ...application, ...secrets } };
}
