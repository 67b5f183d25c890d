/** What suites that call services have in common: jobs that no cache answers, and services that take their time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DATA_DIR, ensureInput } from './generate.ts';
import { ROOT_DIR } from './measure.ts';

export interface CallJobs {
  readonly jobs: string;
  readonly companies: string;
}

/** Each event is of a company of its own. */
export async function ensureCallJobs(count: number): Promise<CallJobs> {
  const { companiesFile } = await ensureInput(1, count);
  const jobs = `${DATA_DIR}calls-${count}.jsonl`;
  if (!existsSync(jobs)) {
    const start = Date.UTC(2025, 0, 1);
    const lines = Array.from({ length: count }, (_, nth) =>
      JSON.stringify({
        companyID: `comp_${nth}`,
        userID: `user_${nth % 400}`,
        nbJobs: 1,
        creationDate: start + nth * 1000,
      }),
    );
    await writeFile(`${jobs}.tmp`, lines.map((line) => `${line}\n`).join(''));
    await rename(`${jobs}.tmp`, jobs);
  }
  return { jobs, companies: companiesFile };
}

/** Answers each request after so long, in a process of its own: its CPU does not count. It ends with its standard input. */
export async function answeringServer(delayMs: number): Promise<{ url: string; process: ChildProcess }> {
  const script = join(ROOT_DIR, 'bench/peers/answering-server.mjs');
  const server = spawn(process.execPath, [script, String(delayMs)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const port = await new Promise<string>((resolve, reject) => {
    server.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()));
    server.on('error', reject);
    server.on('exit', () => reject(new Error('the answering server ended before it listened')));
  });
  return { url: `http://127.0.0.1:${port}`, process: server };
}
