// TenantManager as it runs in a container: reached from elsewhere, its PostgreSQL over TLS, its secrets in Secrets Manager.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { openServer } from '../../src/services/tenant-manager/server-database.ts';
import { answer, type WireServer, wireServer } from '../support/kinesis-wire.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { temporaryFolder } from './folders.ts';
import { type Running, run, start } from './program.ts';

const file = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}.pem`, import.meta.url));
const CERT = file('cert');
const TOKEN_ARN = 'arn:aws:secretsmanager:us-west-2:123456789012:secret:tenants/token-AbCdEf';
const PASSWORD_ARN = 'arn:aws:secretsmanager:us-west-2:123456789012:secret:tenants/database-AbCdEf#password';
const TOKEN = 'token-of-the-test';

let postgres: PostgresServer;
let aws: WireServer;
let password = 'first password';
const toStop: Running[] = [];

beforeAll(async () => {
  postgres = await startPostgres({ cert: readFileSync(CERT, 'utf8'), key: readFileSync(file('key'), 'utf8') });
  aws = await wireServer('http', ({ operation, input }, response) => {
    if (operation === 'PutRecords') {
      const records = input.Records as readonly unknown[];
      return answer(response, {
        FailedRecordCount: 0,
        Records: records.map(() => ({ SequenceNumber: '1', ShardId: 's' })),
      });
    }
    // As RDS writes the secret that it manages.
    const secret = input.SecretId === TOKEN_ARN ? TOKEN : JSON.stringify({ username: 'tenants', password });
    answer(response, { SecretString: secret });
  });
});
beforeEach(() => {
  for (const [name, value] of Object.entries({
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: aws.endpoint,
    TENANT_MANAGER_TOKEN: '',
    DATABASE_URL: '',
  }))
    vi.stubEnv(name, value);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const program of toStop.splice(0)) {
    program.send('SIGTERM');
    await program.ended;
  }
});
afterAll(async () => {
  aws?.close();
  await postgres?.stop();
});

/** The URL of a new database of the user `tenants`, who needs a password and TLS; without a password. */
async function database(): Promise<URL> {
  const url = new URL(await postgres.newDatabase());
  await asOwner(
    url,
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tenants') THEN CREATE ROLE tenants LOGIN; END IF; END $$",
    `ALTER ROLE tenants PASSWORD '${password}'`,
    `GRANT CREATE ON DATABASE ${url.pathname.slice(1)} TO tenants`,
  );
  url.username = 'tenants';
  return url;
}

async function asOwner(url: URL, ...statements: readonly string[]): Promise<void> {
  const client = new pg.Client(Object.assign(new URL(url), { username: 'postgres' }).href);
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

/** As a load balancer asks, by another name than those of this machine; `fetch` sends the name it asks. */
async function statusByName(port: string, host: string): Promise<number | undefined> {
  const asked = request({ port, path: '/health', headers: { host } }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

async function told(program: Running, pattern: RegExp): Promise<string> {
  await expect.poll(() => pattern.test(program.stdout()) || program.hasEnded()).toBe(true);
  const found = pattern.exec(program.stdout())?.[1];
  if (found === undefined) throw new Error(`the program ended: ${program.stderr()}`);
  return found;
}

test('token and password come from Secrets Manager, the database is asked over TLS, and a rotated password is used by the next connections', async () => {
  const url = await database();
  vi.stubEnv('DATABASE_URL', `${url.href}?sslmode=verify-full&sslrootcert=${encodeURIComponent(CERT)}`);
  vi.stubEnv('DATABASE_PASSWORD', PASSWORD_ARN);
  vi.stubEnv('TENANT_MANAGER_TOKEN', TOKEN_ARN);
  const words = ['--port', '0', '--host', '0.0.0.0', '--endpoint', aws.endpoint, '--tenants', '2'];
  const program = start('tenant-manager', ...words);
  toStop.push(program);
  const port = new URL(await told(program, /TenantManager: (http:\S+)\/api\/v1\/tenants/)).port;
  const ask = (path: string, authorization = '') =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization } });
  expect(await statusByName(port, 'tenants.internal')).toBe(200);
  expect((await ask('/api/v1/tenants')).status).toBe(401);
  expect((await ask('/api/v1/tenants', `Bearer ${TOKEN_ARN}`)).status).toBe(401);
  expect(await (await ask('/api/v1/tenants', `Bearer ${TOKEN}`)).json()).toMatchObject({ total: 2 });
  expect(await (await ask('/version')).json()).toMatchObject({ database: expect.stringMatching(/^PostgreSQL at 127/) });

  password = 'second password';
  const endAll = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tenants'";
  await asOwner(url, `ALTER ROLE tenants PASSWORD '${password}'`, endAll);
  await expect.poll(async () => (await ask('/api/v1/tenants', `Bearer ${TOKEN}`)).status).toBe(200);
  expect(program.stderr()).not.toMatch(/password of|second password|first password/);
});

test('a server whose certificate is not signed by who the URL names is not asked', async () => {
  const url = await database();
  const secret = async () => password;
  const refused = async (query: string, code: string, message: RegExp) => {
    const opened = openServer({ url: `${url.href}?${query}`, password: secret }, () => undefined);
    const setUp = opened.then((server) => server.setUp(async () => undefined).finally(() => server.close()));
    await expect(setUp).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  };
  await refused('sslmode=verify-full', 'SERVICE_FAILED', /self-signed certificate/);
  await refused('sslmode=disable', 'SERVICE_FAILED', /no encryption/);
  await refused('sslmode=verify-full&sslrootcert=%2Fnowhere.pem', 'PARAMETER_INVALID', /DATABASE_URL: .*nowhere\.pem/);
});

test('it is not reached from elsewhere without a token, and says so before it opens its database', async () => {
  const folder = `${await temporaryFolder()}/tenants`;
  const { code, stderr } = await run('tenant-manager', '--port', '0', '--host', '0.0.0.0', '--folder', folder);
  expect(code).toBe(2);
  expect(stderr).toMatch(/TENANT_MANAGER_TOKEN: expected a token, because 0\.0\.0\.0 is reached from elsewhere/);
});

test('a secret that cannot be read is named, with the variable that names it', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', 'http://127.0.0.1:1');
  vi.stubEnv('TENANT_MANAGER_TOKEN', TOKEN_ARN);
  const { code, stderr } = await run('tenant-manager', '--port', '0', '--folder', await temporaryFolder());
  expect(code).toBe(1);
  expect(stderr).toContain(`TENANT_MANAGER_TOKEN: the secret ${TOKEN_ARN} could not be read`);
});
