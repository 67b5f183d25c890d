import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { S3Server } from '../../../test/support/s3-server.ts';
import { LIMITS } from '../../base/limits.ts';
import { companyJobProcessing } from '../../pipeline/company-job-processing.ts';
import { readParameters } from '../../pipeline/parameters.ts';
import { Pressure } from '../../runtime/pressure.ts';
import { nodeWorld } from './node-world.ts';
import { openPartStore } from './part-stores.ts';

let server: S3Server;
let folder: string;

beforeEach(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  server = await S3Server.start();
  folder = mkdtempSync(`${tmpdir()}/part-stores-`);
});

afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

/** Writes a line into each object sink of the application; returns the names of the files under `folder`. */
async function writeAll(paths: Record<string, string>): Promise<string[]> {
  const parameters = readParameters({
    ApplicationConfigProperties: {
      ...{ enrichment: 'join', scoring: 'off', 'data.dir': `${folder}/data` },
      ...{ 's3.endpoint': server.endpoint, 's3.pathStyle': 'true', ...paths },
    },
  });
  const graph = companyJobProcessing(parameters);
  const world = nodeWorld((message) => {
    throw new Error(message);
  });
  const onFailure = (error: unknown) => {
    throw error;
  };
  for (const sink of [...graph.sinks, graph.deadLetters]) {
    if (sink.kind === 'stream') continue;
    const store = await openPartStore(sink, { world, pressure: new Pressure(), parameters, limits: LIMITS, onFailure });
    await store.restore(undefined);
    const part = store.part('dt=1');
    part.buffer.utf8(`${sink.id}\n`);
    part.wrote();
    store.finish();
    const barrier = store.barrier();
    await barrier.persist();
    await barrier.commit();
    await store.close();
  }
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

const withoutRun = (text: string) => text.replace(/part-[0-9a-f]{8}-/, 'part-RUN-');

it('rows and dead letters go where their paths say: both to S3', async () => {
  expect(await writeAll({ S3SinkPath: 's3://bucket/rows' })).toEqual([]);
  expect(Object.entries(server.texts()).map(([key, text]) => [withoutRun(key), text])).toEqual([
    ['rows/_dead-letters/dt=1/part-RUN-000001.jsonl', 'dead-letters\n'],
    ['rows/dt=1/part-RUN-000001.jsonl', 'rows\n'],
  ]);
});

it('rows and dead letters go where their paths say: rows to a folder, dead letters to S3', async () => {
  const files = await writeAll({ S3SinkPath: `file://${folder}/rows`, deadLetterPath: 's3://bucket' });
  expect(files.map(withoutRun)).toEqual(['part-RUN-000001.jsonl']);
  expect(Object.keys(server.texts()).map(withoutRun)).toEqual(['dt=1/part-RUN-000001.jsonl']);
});

it('an error at start names the parameter', async () => {
  const paths = { S3SinkPath: `file://${folder}/rows`, deadLetterPath: 's3://other/letters' };
  await expect(writeAll(paths)).rejects.toMatchObject({
    code: 'S3_REFUSED',
    message: expect.stringMatching(/^deadLetterPath s3:\/\/other\/letters: /),
  });
});
