// The images of the Dockerfile, without Docker: their file systems are made by its steps, from what `cdk deploy` would hand
// to `docker build`, and their very commands are run.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { churnModel } from '../src/services/churn-scoring/churn-model.ts';
import { columnsOf } from '../src/services/churn-scoring/scorecard.ts';
import {
  configOf,
  type ImageConfig,
  linkPackages,
  readDockerfile,
  type Stage,
  stage,
} from '../test/support/dockerfile.ts';
import { answer, type WireServer, wireServer } from '../test/support/kinesis-wire.ts';
import { type PostgresServer, startPostgres } from '../test/support/postgres-server.ts';
import { type Synthesized, synthesize } from './testing.ts';

const pem = (name: string) => fileURLToPath(new URL(`../test/fixtures/tls/${name}.pem`, import.meta.url));
const RDS_CERTIFICATES = 'https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem';
const TOKEN_ARN = 'arn:aws:secretsmanager:us-west-2:123456789012:secret:tenants/token-AbCdEf';
const PASSWORD_ARN = 'arn:aws:secretsmanager:us-west-2:123456789012:secret:rds!cluster-AbCdEf#password';

let synthesized: Synthesized;
let context = '';
let folder = '';
let stages: readonly Stage[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenant-analytics-images-'));
  // The user of a container may look there.
  chmodSync(folder, 0o755);
  synthesized = synthesize({ enrichment: 'join' });
  const assets = (await readdir(synthesized.folder)).map((name) => join(synthesized.folder, name));
  context = assets.find((asset) => existsSync(join(asset, 'Dockerfile'))) ?? '';
  stages = readDockerfile(readFileSync(join(context, 'Dockerfile'), 'utf8'));
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  synthesized?.remove();
  rmSync(folder, { recursive: true, force: true });
});

function config(target: string): ImageConfig {
  const found = stages.find(({ name }) => name === target);
  if (found === undefined) throw new Error(`expected a stage ${target}`);
  return configOf(found);
}

function made(target: string): string {
  return stage(context, target, folder, {
    run: (command, at) => {
      if (!command.startsWith('npm ci')) return undefined;
      return () => linkPackages(at, command.includes('--omit=dev') ? 'production' : 'all');
    },
    fetched: (url) => {
      if (url === RDS_CERTIFICATES) return pem('cert');
      throw new Error(`nothing stands in for ${url}`);
    },
  });
}

/** Nobody in particular; where that user may not look at this checkout, whoever runs the tests. */
function somebody(root: string): { uid?: number; gid?: number } {
  const who = { uid: 65_534, gid: 65_534 };
  const look = `fs.readdirSync(fs.existsSync('app/node_modules') ? 'app/node_modules/pg/' : 'app')`;
  const trial = process.getuid?.() === 0 && spawnSync(process.execPath, ['-e', look], { ...who, cwd: root });
  return trial && trial.status === 0 ? who : {};
}

/** The command of an image, as a user who owns none of its files, where this test may choose one. */
function start(
  root: string,
  { entrypoint, environment }: ImageConfig,
  words: readonly string[],
  more: NodeJS.ProcessEnv,
) {
  const [node, program = '', ...own] = entrypoint;
  expect(node).toBe('node');
  const child = spawn(process.execPath, [join(root, program), ...own, ...words], {
    ...somebody(root),
    cwd: join(root, 'app'),
    // Nothing of this process's: what the image does not say, it does not have. Only, it is not reached from elsewhere here.
    env: { ...environment, CHURN_MODEL_HOST: '127.0.0.1', TENANT_MANAGER_HOST: '127.0.0.1', ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (said += text));
  const ended = once(child, 'exit');
  return {
    said: () => said,
    async url(pattern: RegExp): Promise<string> {
      await expect.poll(() => pattern.test(said) || child.exitCode !== null).toBe(true);
      const url = pattern.exec(said)?.[1];
      if (url === undefined) throw new Error(`it ended: ${said}`);
      return url;
    },
    async stop(): Promise<unknown> {
      child.kill('SIGTERM');
      return (await ended)[0];
    },
  };
}

test('both images are of a Node that the package supports, and no secret or test can get into what they are built of', async () => {
  expect(stages.map(({ name }) => name)).toEqual(['build', 'packages', 'churn-model', 'tenant-manager']);
  expect(new Set(stages.map(({ base }) => base))).toEqual(new Set([`$${'{NODE}'}`]));
  expect(readFileSync(join(context, 'Dockerfile'), 'utf8')).toMatch(/^ARG NODE=node:24-bookworm-slim$/m);
  const files = await readdir(context, { recursive: true });
  expect(
    files.filter((file) => /\.test\.tsx?$|node_modules|\.env|\.git\/|\.pem$|^(data|dist|cdk\.out)/.test(file)),
  ).toEqual([]);
  for (const target of ['churn-model', 'tenant-manager']) expect(config(target).user).toBe('node');
});

describe('the image churn-model', () => {
  test("answers SageMaker's protocol: started with the word serve, asked at /ping and /invocations, ended by SIGTERM", async () => {
    const image = config('churn-model');
    expect([...image.entrypoint, ...image.command].at(-1)).toBe('serve');
    expect(image.port).toBe(8080);
    expect(image.environment).toMatchObject({ CHURN_MODEL_HOST: '0.0.0.0' });
    const root = made('churn-model');
    expect(existsSync(join(root, 'app/node_modules'))).toBe(false);
    const server = start(root, image, ['serve'], { SAGEMAKER_BIND_TO_PORT: '0' });
    const url = await server.url(/Churn model: GET (http:\S+)\/ping/);
    expect((await fetch(new URL('/ping', url))).status).toBe(200);
    const row = columnsOf(churnModel, new Array(churnModel.features.length).fill(0)).join(',');
    const headers = { 'content-type': 'text/csv', accept: 'application/json' };
    const response = await fetch(new URL('/invocations', url), { method: 'POST', body: row, headers });
    expect(await response.json()).toMatchObject({ modelVersion: churnModel.version, predictions: [{}] });
    expect(await server.stop()).toBe(0);
  });

  test('without SAGEMAKER_BIND_TO_PORT would listen on the port that it exposes', async () => {
    const help = start(made('churn-model'), config('churn-model'), ['serve', '--help'], {});
    await expect.poll(help.said).toContain('SAGEMAKER_BIND_TO_PORT');
    expect(help.said()).toMatch(/--port <port>.*default: "8080"/s);
  });
});

describe('the image tenant-manager', () => {
  let postgres: PostgresServer;
  let aws: WireServer;
  const sent: unknown[] = [];
  beforeAll(async () => {
    postgres = await startPostgres({ cert: readFileSync(pem('cert'), 'utf8'), key: readFileSync(pem('key'), 'utf8') });
    aws = await wireServer('http', ({ operation, input }, response) => {
      if (operation === 'PutRecords') {
        const records = input.Records as { Data: string }[];
        sent.push(...records.map(({ Data }) => JSON.parse(Buffer.from(Data, 'base64').toString('utf8'))));
        const Records = records.map(() => ({ SequenceNumber: '1', ShardId: 'shardId-000000000000' }));
        return answer(response, { FailedRecordCount: 0, Records });
      }
      const secret = input.SecretId === TOKEN_ARN ? 'token-of-the-image' : '{"username":"u","password":"word of RDS"}';
      answer(response, { SecretString: secret });
    });
  });
  afterAll(async () => {
    aws?.close();
    await postgres?.stop();
  });

  test('makes its tables over TLS, tells tenants for the token, and sends their changes, as the stack starts it', async () => {
    sent.length = 0;
    const image = config('tenant-manager');
    expect(image.command).toEqual(['--tenants', '0']);
    expect(image.environment).toMatchObject({ TENANT_MANAGER_HOST: '0.0.0.0' });
    const root = made('tenant-manager');
    const database = new URL(await postgres.newDatabase());
    const owner = new pg.Client(database.href);
    await owner.connect();
    const { rowCount } = await owner.query(`SELECT FROM pg_roles WHERE rolname = 'tenant_manager'`);
    if (rowCount === 0) await owner.query(`CREATE ROLE tenant_manager LOGIN PASSWORD 'word of RDS'`);
    await owner.query(`GRANT CREATE ON DATABASE ${database.pathname.slice(1)} TO tenant_manager`);
    await owner.end();
    database.username = 'tenant_manager';
    const certificates = encodeURIComponent(join(root, '/etc/ssl/rds/global-bundle.pem'));
    const words = ['--stream', 'companies', '--region', 'us-west-2', '--tenants', '1'];
    const service = start(root, image, [...words, '--port', '0', '--endpoint', aws.endpoint], {
      DATABASE_URL: `${database.href}?sslmode=verify-full&sslrootcert=${certificates}`,
      DATABASE_PASSWORD: PASSWORD_ARN,
      TENANT_MANAGER_TOKEN: TOKEN_ARN,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: aws.endpoint,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    });
    const url = await service.url(/TenantManager: (http:\S+)\/api\/v1\/tenants/);
    // What the load balancer asks.
    expect((await fetch(new URL('/version', url))).status).toBe(200);
    expect((await fetch(new URL('/docs/', url))).status).toBe(200);
    const tenants = new URL('/api/v1/tenants', url);
    expect((await fetch(tenants)).status).toBe(401);
    const told = await fetch(tenants, { headers: { authorization: 'Bearer token-of-the-image' } });
    expect(await told.json()).toMatchObject({ total: 1, tenants: [{ companyID: 'comp_0' }] });
    await expect.poll(() => sent).toMatchObject([{ companyID: 'comp_0' }]);
    expect(await service.stop()).toBe(0);
    expect(service.said()).not.toMatch(/word of RDS|token-of-the-image/);
  });

  test('listens where its load balancer looks for it', async () => {
    const help = start(made('tenant-manager'), config('tenant-manager'), ['--help'], {});
    await expect.poll(help.said).toContain('--host');
    expect(help.said()).toMatch(new RegExp(`--port <port>.*default: "${config('tenant-manager').port}"`, 's'));
  });
});
