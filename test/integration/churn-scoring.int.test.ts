import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { churnModel } from '../../src/services/churn-scoring/churn-model.ts';
import { binsOf, columnsOf } from '../../src/services/churn-scoring/scorecard.ts';
import { startChurnScoring } from '../../src/services/churn-scoring/start.ts';

const company = {
  industry: 'finance',
  revenu: 29080,
  employees: 14540,
  job30: 3,
  job90: 43,
  monthlyFee: 461,
  totalFee: 1172,
};
const row = columnsOf(churnModel, binsOf(churnModel, company)).join(',');

const children: ChildProcess[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** The command on its own, from its source. */
function command(words: readonly string[], environment: Record<string, string> = {}) {
  const code = `
    import { churnScoringCommand } from './src/cli/churn-scoring.ts';
    churnScoringCommand().parseAsync(${JSON.stringify(words)}, { from: 'user' }).catch((error) => {
      process.stderr.write(error.message);
      process.exitCode = error.exitCode ?? 1;
    });`;
  const { CHURN_SCORING_API_KEY, ...inherited } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited, ...environment },
  });
  children.push(child);
  let output = '';
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const told = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = (text: string) => {
        output += text;
        const found = pattern.exec(output)?.[1];
        if (found !== undefined) resolve(found);
      };
      child.stdout?.setEncoding('utf8').on('data', look);
      child.stderr?.setEncoding('utf8').on('data', look);
      child.once('close', (code) => reject(new Error(`ended with ${code}: ${output}`)));
    });
  return { child, ended, told };
}

test('the service alone scores a company for who has the key, and ends when asked to', async () => {
  const service = command(['--port', '0'], { CHURN_SCORING_API_KEY: 'secret' });
  const url = await service.told(/POST (http:\S+\/prod\/assessChurn)/);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:/);
  const call = (headers: Record<string, string>) =>
    fetch(url, { method: 'POST', body: JSON.stringify(company), headers });
  expect((await call({})).status).toBe(403);
  expect(await (await call({ 'x-api-key': 'secret' })).json()).toMatchObject({
    churn: true,
    reasons: [{ feature: 'job30', text: '3 jobs in 30 days, typical 6' }],
  });
  const metrics = await (await fetch(new URL('/metrics', url))).text();
  expect(metrics).toContain('churn_model_rows_total 1');
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(0);
});

test('without a key it does not begin, unless that is wanted', async () => {
  const refused = command(['--port', '0']);
  await expect(refused.told(/(x)^/)).rejects.toThrow(/ended with 2: CHURN_SCORING_API_KEY: expected the key.*--no-key/);
  const open = command(['--port', '0', '--no-key']);
  const url = await open.told(/POST (http:\S+\/prod\/assessChurn)/);
  expect((await fetch(url, { method: 'POST', body: JSON.stringify(company) })).status).toBe(200);
});

test("the model server alone serves a model file, as in SageMaker's container", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'churn-model-'));
  folders.push(folder);
  const file = join(folder, 'model.json');
  await copyFile('model/model.json', file);
  const served = command(['serve'], { SAGEMAKER_BIND_TO_PORT: '0', CHURN_MODEL_FILE: file });
  const url = await served.told(/GET (http:\S+)\/ping/);
  expect((await fetch(`${url}/ping`)).status).toBe(200);
  const headers = { 'content-type': 'text/csv' };
  const response = await fetch(`${url}/invocations`, { method: 'POST', body: `${row}\n${row}`, headers });
  const { predictions } = (await response.json()) as { predictions: { predicted_label: number }[] };
  expect(predictions.map((prediction) => prediction.predicted_label)).toEqual([1, 1]);

  await writeFile(file, '{"format":1}');
  const refused = command(['serve', '--port', '0', '--model-file', file]);
  await expect(refused.told(/(x)^/)).rejects.toThrow(/ended with 1: .*model\.json: expected a churn scorecard/);
});

test('a taken port is named, and nothing is left running', async () => {
  const first = await startChurnScoring({ port: 0, apiKey: '' });
  const [port, modelPort] = [first.url, first.modelUrl].map((url) => Number(new URL(url).port));
  const second = startChurnScoring({ port: port ?? 0, apiKey: '', flag: '--churn-scoring-port' });
  await expect(second).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringMatching(/with --churn-scoring-port\.$/),
  });
  const third = startChurnScoring({ port: 0, modelPort: modelPort ?? 0, apiKey: '' });
  await expect(third).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringMatching(/the model server.*with --model-port\.$/),
  });
  await first.stop();
  await expect(fetch(`${first.url}/health`)).rejects.toThrow();
  await expect(fetch(`${first.modelUrl}/ping`)).rejects.toThrow();
});
