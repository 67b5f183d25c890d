import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';

/** arn:aws:secretsmanager:us-west-2:123456789012:secret:churn/api-key-AbCdEf, and perhaps `#key` after it. */
const ARN = /^(?<id>arn:aws[a-z-]*:secretsmanager:(?<region>[a-z0-9-]+):\d{12}:secret:[^#\s]+)(?:#(?<key>.+))?$/;
const LOOKS_LIKE_ARN = /^arn:aws[a-z-]*:secretsmanager:/;
const CALL_MS = 10_000;

/**
 * The value itself, or the secret that it is the ARN of, read once from AWS Secrets Manager in the region the ARN names.
 *
 * - `arn:aws:secretsmanager:…:secret:name-AbCdEf` is the secret's text. If that is a JSON object with exactly one key, as the
 *   console writes them, it is the value of that key.
 * - `arn:…:secret:name-AbCdEf#apiKey` is the value of `apiKey` in a secret that is a JSON object.
 *
 * @param region the program's own, for advice: the secret is read in that of its ARN
 * @throws TenantAnalyticsError SECRET_UNREADABLE; its message never contains the secret
 */
export async function resolveSecret(value: string, region: string, endpoint = ''): Promise<string> {
  if (!LOOKS_LIKE_ARN.test(value)) return value;
  const { id, region: itsRegion, key } = ARN.exec(value)?.groups ?? {};
  if (id === undefined || itsRegion === undefined) {
    throw unreadable(
      value,
      'it is no whole ARN of a secret',
      'Expected arn:aws:secretsmanager:<region>:<account>:secret:<name>, with #<key> after it for one key of several',
    );
  }
  const text = await secretText(id, itsRegion, region, endpoint);
  const values = jsonObject(text);
  if (key !== undefined) return textUnder(value, key, values);
  const [only, ...others] = Object.keys(values ?? {});
  if (only === undefined) return text;
  if (others.length === 0) return textUnder(value, only, values);
  throw unreadable(
    value,
    `it is a JSON object with the keys ${[only, ...others].join(', ')}`,
    `Name one: ${id}#${only}`,
  );
}

async function secretText(id: string, region: string, ownRegion: string, endpoint: string): Promise<string> {
  // The SDK's own switch for its warning about Node versions that it is going to drop. We support Node 20 as long as it does.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const client = new SecretsManagerClient({ region, ...(endpoint === '' ? {} : { endpoint }) });
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: id }), {
      abortSignal: AbortSignal.timeout(CALL_MS),
    });
    if (SecretString !== undefined) return SecretString;
  } catch (error) {
    // Not as the cause: the SDK's errors carry requests and answers.
    const name = error instanceof Error ? error.name : 'Error';
    const advice = ADVICE[name] ?? `Check that ${region} can be reached`;
    const elsewhere = region === ownRegion ? '' : `. Its ARN says ${region}; aws.region is ${ownRegion}`;
    throw unreadable(id, `${name}: ${messageOf(error)}`, advice + elsewhere);
  } finally {
    client.destroy();
  }
  throw unreadable(id, 'it is binary', 'Store it as text');
}

const PERMISSION = 'Allow secretsmanager:GetSecretValue on it, and kms:Decrypt on its key';
const CREDENTIALS = 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to credentials that may read it';
const ADVICE: Readonly<Record<string, string>> = {
  ResourceNotFoundException: 'Check its name, account and region, and that it is not scheduled for deletion',
  InvalidRequestException: 'Check that it is not scheduled for deletion',
  AccessDeniedException: PERMISSION,
  DecryptionFailure: PERMISSION,
  CredentialsProviderError: CREDENTIALS,
  UnrecognizedClientException: CREDENTIALS,
  ExpiredTokenException: CREDENTIALS,
};

function jsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : undefined;
  } catch {
    return undefined;
  }
}

function textUnder(asked: string, key: string, values: Readonly<Record<string, unknown>> | undefined): string {
  const keys = Object.keys(values ?? {});
  const found = values !== undefined && Object.hasOwn(values, key) ? values[key] : undefined;
  if (typeof found === 'string') return found;
  const has = keys.length === 0 ? 'it has no keys: it is no JSON object' : `it has the keys ${keys.join(', ')}`;
  throw unreadable(asked, `expected text under the key ${key}, but ${has}`, 'Name one whose value is text');
}

function unreadable(asked: string, why: string, advice: string): TenantAnalyticsError {
  return new TenantAnalyticsError('SECRET_UNREADABLE', `the secret ${asked} could not be read: ${why}. ${advice}.`);
}
