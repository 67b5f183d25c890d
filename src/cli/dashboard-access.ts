import { Command } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import type { DashboardProcess } from '../hosts/node/dashboard.ts';
import { numberOf } from './options.ts';
import { printLines, warn } from './output.ts';

export interface AccessOptions {
  readonly host: string;
  readonly publicUrl: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly trustProxy: string;
  readonly tokens?: string;
  readonly oidcIssuer: string;
  readonly oidcClientId: string;
  readonly oidcScope: string;
  readonly oidcTenantClaim: string;
  readonly oidcStaffClaim: string;
  readonly sessionHours: string;
}

const MOST_SESSION_HOURS = 7 * 24;

/** Adds the options that say where the dashboard listens, and who may sign in. */
export function withAccess(command: Command): Command {
  return command
    .option('--host <address>', 'where it listens; beyond this machine only with a way to sign in', '127.0.0.1')
    .option('--public-url <url>', 'how people know it, https://…; it answers by that name only', '')
    .option('--tls-cert <file>', 'certificate chain, PEM', '')
    .option('--tls-key <file>', 'its key, PEM', '')
    .option('--trust-proxy <addresses>', 'of the proxy before it that ends TLS, comma-separated', '')
    .option('--tokens <file>', 'people and programs that may sign in by a token (or DASHBOARD_TOKENS)')
    .option('--oidc-issuer <url>', 'OpenID Connect: the provider', '')
    .option('--oidc-client-id <id>', 'how the provider knows the dashboard', '')
    .option('--oidc-scope <scopes>', 'what is asked for', 'openid profile email')
    .option('--oidc-tenant-claim <name>', 'claim of the ID token that names the company of a user', 'company_id')
    .option(
      '--oidc-staff-claim <name=values>',
      'who has one of the values sees all, such as groups=customer-success',
      '',
    )
    .option('--session-hours <hours>', 'after that, people sign in again', '8');
}

export const ACCESS_HELP = `It answers on 127.0.0.1 only, unless --host and a way to sign in are given (docs/access.md). Secrets come from the environment:
DASHBOARD_OIDC_CLIENT_SECRET, and DASHBOARD_SESSION_SECRET, without which everybody signs in again after a restart.`;

/** @throws TenantAnalyticsError USAGE */
export function accessOf(options: AccessOptions, environment: NodeJS.ProcessEnv): DashboardProcess['access'] {
  const { tokens, oidcClientId, sessionHours, host, publicUrl, tlsCert, tlsKey, trustProxy } = options;
  const { oidcIssuer, oidcScope, oidcTenantClaim, oidcStaffClaim } = options;
  return {
    ...{ host, publicUrl, tlsCert, tlsKey, trustProxy, oidcIssuer, oidcScope, oidcTenantClaim, oidcStaffClaim },
    tokens: tokens ?? environment.DASHBOARD_TOKENS ?? '',
    oidcClientID: oidcClientId,
    oidcClientSecret: environment.DASHBOARD_OIDC_CLIENT_SECRET ?? '',
    sessionHours: numberOf(sessionHours, '--session-hours', 0.1, MOST_SESSION_HOURS),
    sessionSecret: environment.DASHBOARD_SESSION_SECRET ?? '',
  };
}

interface TokenOptions {
  readonly name: string;
  readonly company?: string;
  readonly all?: true;
  readonly metrics?: true;
  readonly expires?: string;
}

export function tokenCommand(): Command {
  return new Command('token')
    .description('makes a token: prints it once, on standard error, and what stands for it in the file of --tokens')
    .requiredOption('--name <name>', 'whose it is, as the page shows it')
    .option('--company <companyID>', 'it sees this company only')
    .option('--all', 'it sees all companies')
    .option('--metrics', 'it reads the metrics of the dashboard only')
    .option('--expires <time>', 'until then, such as 2027-01-31T00:00:00Z')
    .action(makeToken);
}

async function makeToken({ name, company, all, metrics, expires }: TokenOptions): Promise<void> {
  const said = [
    company !== undefined && { companyID: company },
    all && ('all' as const),
    metrics && ('metrics' as const),
  ];
  const [sees, ...more] = said.filter((each) => each !== undefined && each !== false);
  if (sees === undefined || more.length > 0) {
    throw new TenantAnalyticsError(
      'USAGE',
      `expected one of --company, --all and --metrics, got ${more.length === 0 ? 'none' : 'more'}.`,
    );
  }
  const { newToken } = await import('../hosts/node/dashboard-token.ts');
  const { token, entry } = newToken(name, sees, expires);
  warn(`The token, which is shown this once: ${token}`);
  await printLines([JSON.stringify(entry)]);
}
