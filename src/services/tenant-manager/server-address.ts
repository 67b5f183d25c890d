import type { ClientConfig } from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';

/** Where a PostgreSQL server is, and how it lets us in. */
export interface ServerAddress {
  /** `postgresql://…` */
  readonly url: string;
  /** The password in the place of the URL's: asked for at each new connection, so that it may change meanwhile. */
  readonly password?: (() => Promise<string>) | undefined;
}

/**
 * As `pg` takes it. Files that the URL names (`sslrootcert`) are read now.
 * @throws TenantAnalyticsError PARAMETER_INVALID, without user or password
 */
export function clientConfigOf({ url, password }: ServerAddress): ClientConfig {
  placeOf(url);
  try {
    return { ...parseIntoClientConfig(url), ...(password === undefined ? {} : { password }) };
  } catch (error) {
    throw new TenantAnalyticsError(
      'PARAMETER_INVALID',
      `DATABASE_URL: expected options that PostgreSQL's clients know and files that are there, got: ${messageOf(error)}.`,
    );
  }
}

/** Host and name of the database: never user or password. */
export function placeOf(url: string): string {
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) {
    const { host, pathname } = new URL(url);
    return `${host}${pathname}`;
  }
  throw new TenantAnalyticsError(
    'PARAMETER_INVALID',
    'DATABASE_URL: expected postgresql://user:password@host:port/database, got something else.',
  );
}
