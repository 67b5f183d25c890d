// A TenantManager of its own, to be killed: it tells its URL, and writes what it publishes to a file, a record a line.
import { appendFileSync } from 'node:fs';
import { sleep } from '../../src/base/sleep.ts';
import { lockFolder } from '../../src/connectors/file/folder-lock.ts';
import { startTenantManager } from '../../src/services/tenant-manager/server.ts';

export interface ChildOrder {
  readonly folder: string;
  readonly databaseUrl: string;
  readonly stream: string;
  /** Kills itself with SIGKILL when a record is to be published, or just after the stream has it. */
  readonly dies: 'before' | 'after' | 'never';
}

const { folder, databaseUrl, stream, dies } = JSON.parse(process.argv.at(-1) ?? '') as ChildOrder;
const { url } = await startTenantManager(
  { folder, databaseUrl, port: 0, flag: '--port', token: '', seed: [] },
  {
    now: Date.now,
    sleep,
    random: Math.random,
    warn: () => undefined,
    lockFolder,
    async publish(_key, data) {
      if (dies === 'before') process.kill(process.pid, 'SIGKILL');
      appendFileSync(stream, `${Buffer.from(data).toString('utf8')}\n`);
      if (dies === 'after') process.kill(process.pid, 'SIGKILL');
    },
  },
);
process.stdout.write(`${url}\n`);
