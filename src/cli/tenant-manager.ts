import { Command, Option } from 'commander';
import { nodeWorld } from '../hosts/node/node-world.ts';
import { type ObservingOptions, observing, withObserving } from './observing.ts';
import { wholeOf } from './options.ts';
import { untilStopped } from './signals.ts';

interface TenantManagerOptions extends ObservingOptions {
  readonly port: string;
  readonly host: string;
  readonly folder: string;
  readonly stream: string;
  readonly endpoint: string;
  readonly region: string;
  readonly tenants: string;
}

export function tenantManagerCommand(): Command {
  const command = new Command('tenant-manager')
    .description('TenantManager alone: the tenants, over HTTP; each change goes to the companies stream')
    .option('--port <port>', 'where to listen; 0: a free one', '8081')
    .addOption(
      new Option('--host <host>', 'in a container, 0.0.0.0; then there must be a token')
        .env('TENANT_MANAGER_HOST')
        .default('127.0.0.1'),
    )
    .option('--folder <dir>', 'where the tenants are kept, unless DATABASE_URL names a server', 'data/tenant-manager')
    .option('--stream <name>', 'where changes go', 'companies')
    .option('--endpoint <url>', "of a local Kinesis; empty: the region's", '')
    .option('--region <region>', 'region of the stream', 'us-west-2')
    .option('--tenants <n>', 'how many made-up tenants a new database begins with', '300')
    .addHelpText(
      'after',
      `
Environment:
  TENANT_MANAGER_TOKEN  the bearer token asked for (the application's tenantManagerToken); none when empty
  DATABASE_URL          postgresql://user:password@host:port/database, of a PostgreSQL server;
                        with ?sslmode=verify-full&sslrootcert=FILE over TLS, its certificate checked
  DATABASE_PASSWORD     in the place of the URL's
Token and password may be ARNs of Secrets Manager. A password that is rotated is used by the next connections.

What it can do is at /docs. Ctrl-C stops it. A change that was not published yet is published after the next start.`,
    )
    .action(runCommand);
  return withObserving(command);
}

async function runCommand(options: TenantManagerOptions): Promise<void> {
  const { host, folder, stream, endpoint, region } = options;
  const { TENANT_MANAGER_TOKEN: token = '', DATABASE_URL: databaseUrl = '' } = process.env;
  const { DATABASE_PASSWORD: databasePassword = '' } = process.env;
  const port = wholeOf(options.port, '--port', 65_535);
  const tenants = wholeOf(options.tenants, '--tenants', 1_000_000);
  const { runTenantManager } = await import('../hosts/node/tenant-manager.ts');
  await observing(options, (observation) =>
    untilStopped((signal) =>
      runTenantManager(
        { folder, databaseUrl, databasePassword, host, port, token, stream, region, endpoint, tenants },
        nodeWorld(observation.log.warn, observation),
        ({ url, database }) =>
          process.stdout.write(`TenantManager: ${url}/api/v1/tenants, ${url}/docs\nTenants are in: ${database}\n`),
        signal,
      ),
    ),
  );
}
