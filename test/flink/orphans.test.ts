import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { missing, needs } from './support/needs.ts';
import { isAlive } from './support/processes.ts';
import { scratchFolder } from './support/scratch.ts';

const CHILD = fileURLToPath(new URL('support/cluster-child.ts', import.meta.url));
const folder = await scratchFolder();

describe.skipIf(missing !== null)(`the processes of a cluster${needs}`, () => {
  test('end when the process that started them is killed with kill -9', async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', CHILD, `${folder}/cluster`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8');
    const [text] = (await once(child.stdout, 'data')) as [string];
    const pids = JSON.parse(text) as number[];
    expect(pids).toHaveLength(3);
    for (const pid of pids) expect(await isAlive(pid)).toBe(true);
    child.kill('SIGKILL');
    for (const pid of pids) await expect.poll(() => isAlive(pid)).toBe(false);
  });
});
