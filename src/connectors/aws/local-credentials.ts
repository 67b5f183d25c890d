import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export const isLoopback = (hostname: string) => /^(localhost|.+\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);

/**
 * A local service looks at no credentials, but the SDK does not send a request without: those that are configured, else made
 * up. Where nothing is configured the SDK's chain is not asked at all: it would wait for EC2's metadata service.
 */
export function localCredentials<T extends Credentials>(
  configured: () => Promise<T>,
): Credentials | (() => Promise<T | Credentials>) {
  const madeUp = { accessKeyId: 'local', secretAccessKey: 'local' };
  return mayHaveCredentials() ? () => configured().catch(() => madeUp) : madeUp;
}

function mayHaveCredentials(): boolean {
  const { env } = process;
  const named = [
    env.AWS_ACCESS_KEY_ID,
    env.AWS_PROFILE,
    env.AWS_WEB_IDENTITY_TOKEN_FILE,
    env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI,
    env.AWS_CONTAINER_CREDENTIALS_FULL_URI,
  ];
  return (
    named.some((value) => value !== undefined && value !== '') ||
    existsSync(env.AWS_SHARED_CREDENTIALS_FILE ?? join(homedir(), '.aws', 'credentials')) ||
    existsSync(env.AWS_CONFIG_FILE ?? join(homedir(), '.aws', 'config'))
  );
}
