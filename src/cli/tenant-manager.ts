import { Command } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { nodeWorld } from '../hosts/node/node-world.ts';
import { stopOnSignal } from './signals.ts';

interface TenantManagerOptions {
  readonly port: string;
  readonly folder: string;
  readonly stream: string;
  readonly endpoint: string;
  readonly region: string;
  readonly tenants: string;
}

export function tenantManagerCommand(): Command {
  return new Command('tenant-manager')
    .description('TenantManager alone: the tenants, over HTTP; each change goes to the companies stream')
    .option('--port <port>', 'on 127.0.0.1; 0: a free one', '8081')
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
  DATABASE_URL          postgresql://user:password@host:port/database, of a PostgreSQL server

What it can do is at /docs. Ctrl-C stops it. A change that was not published yet is published after the next start.`,
    )
    .action(runCommand);
}

async function runCommand(options: TenantManagerOptions): Promise<void> {
  const { folder, stream, endpoint, region } = options;
  const { TENANT_MANAGER_TOKEN: token = '', DATABASE_URL: databaseUrl = '' } = process.env;
  const port = whole(options.port, '--port', 65_535);
  const tenants = whole(options.tenants, '--tenants', 1_000_000);
  const say = (message: string) => void process.stderr.write(`${message}\n`);
  const stopping = new AbortController();
  const takeBack = stopOnSignal(() => stopping.abort());
  try {
    const { runTenantManager } = await import('../hosts/node/tenant-manager.ts');
    await runTenantManager(
      { folder, databaseUrl, port, token, stream, region, endpoint, tenants },
      nodeWorld(say),
      ({ url, database }) =>
        process.stdout.write(`TenantManager: ${url}/api/v1/tenants, ${url}/docs\nTenants are in: ${database}\n`),
      stopping.signal,
    );
  } finally {
    takeBack();
  }
}

function whole(text: string, flag: string, most: number): number {
  if (/^\d+$/.test(text) && Number(text) <= most) return Number(text);
  throw new TenantAnalyticsError('USAGE', `${flag}: expected a whole number from 0 to ${most}, got ${text}.`);
}
