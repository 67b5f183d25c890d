import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LifeOptions, S3Life, turn } from '../../../test/support/s3-life.ts';
import { S3Server } from '../../../test/support/s3-server.ts';
import type { CrashPoint, PartsState } from '../../runtime/ports.ts';

let server: S3Server;
let spool: string;
const lives: S3Life[] = [];

beforeEach(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  server = await S3Server.start();
  spool = mkdtempSync(`${tmpdir()}/s3-spool-`);
});

afterEach(async () => {
  for (const life of lives.splice(0)) await life.store.close();
  await server.stop();
  rmSync(spool, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

async function begin(state?: PartsState, options: Partial<LifeOptions> = {}): Promise<S3Life> {
  const life = new S3Life(server, { spool, rollBytes: 1, ...options });
  lives.push(life);
  await life.store.restore(state);
  return life;
}

const localFiles = () => readdirSync(spool, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
const largeLine = Array.from({ length: 700 }, (_, index) => `field ${index}`).join(',');

describe('parts in a bucket', () => {
  it('are whole objects, byte for byte, in one request or in pieces; nothing of them stays on this machine', async () => {
    const life = await begin();
    life.write('dt=1', 'small');
    life.write('dt=1', largeLine);
    await life.settled();
    expect(server.texts()).toEqual({
      'rows/dt=1/part-run-000001.txt': 'small\n',
      'rows/dt=1/part-run-000002.txt': `${largeLine}\n`,
    });
    expect(server.count('UploadPart')).toBe(Math.ceil((largeLine.length + 1) / 1000));
    expect(server.uploads.size).toBe(0);
    expect(localFiles()).toEqual([]);
    expect(life.pressure.bytes).toBe(0);
    expect(life.failures).toEqual([]);
  });

  it('stand at the root of a bucket that is named without a prefix, and are found there again', async () => {
    const life = await begin(undefined, { path: 's3://bucket' });
    life.write('dt=1', 'line');
    const state = await life.settled();
    await life.store.close();
    const forgotten = { ...state, nextSequence: 1 };
    expect(Object.keys(server.texts())).toEqual(['dt=1/part-run-000001.txt']);
    await begin(forgotten, { path: 's3://bucket' });
    expect(server.texts()).toEqual({});
  });

  it('that are still written to are not there', async () => {
    const life = await begin(undefined, { rollBytes: 1e9 });
    life.write('dt=1', 'line');
    await life.checkpoint();
    expect(server.texts()).toEqual({});
    expect(server.requests.map(({ operation }) => operation)).toEqual(['ListObjectsV2']);
  });

  it('are all visible when the last checkpoint of a bounded run is committed', async () => {
    const life = await begin(undefined, { rollBytes: 1e9 });
    for (let day = 0; day < 9; day++) life.write(`dt=${day}`, 'line');
    life.store.finish();
    await life.checkpoint();
    expect(Object.keys(server.texts())).toHaveLength(9);
    expect((await life.checkpoint()).finished).toEqual([]);
  });
});

it('rows that are lost on this machine before S3 has them end the run, also while its last commit waits', async () => {
  const life = await begin();
  server.fault = ({ operation }) => (operation === 'PutObject' ? { status: 503, code: 'SlowDown' } : undefined);
  life.write('dt=1', 'line');
  life.store.finish();
  const ended = life.checkpoint();
  await server.until(() => server.count('PutObject') > 0);
  rmSync(`${spool}/dt=1`, { recursive: true });
  await expect(ended).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  expect(life.failures).toHaveLength(1);
});

describe('while S3', () => {
  it('refuses for a while, checkpoints go on, and each row is there once when it is back', async () => {
    const life = await begin();
    server.fault = () => ({ status: 503, code: 'SlowDown' });
    for (let line = 0; line < 20; line++) {
      life.write(`dt=${line % 3}`, `${line}`);
      await life.checkpoint();
    }
    await server.until(() => server.requests.length > 30);
    expect((await life.checkpoint()).finished).toHaveLength(20);
    expect(server.texts()).toEqual({});
    server.fault = () => undefined;
    await life.settled();
    expect(linesOf(server)).toEqual(Array.from({ length: 20 }, (_, line) => `${line}`).sort());
    expect(life.warnings).toHaveLength(2);
    expect(life.warnings[0]).toMatch(/S3SinkPath s3:\/\/bucket\/rows takes no rows: SlowDown/);
    expect(life.warnings[1]).toMatch(/takes rows again/);
    expect(Math.max(...life.slept)).toBeLessThanOrEqual(30_000);
    expect(life.failures).toEqual([]);
  });

  it('denies access, a person is told at once what to do, and nothing is lost', async () => {
    const life = await begin();
    server.fault = ({ operation }) => (operation === 'PutObject' ? { status: 403, code: 'AccessDenied' } : undefined);
    life.write('dt=1', 'line');
    await life.checkpoint();
    await server.until(() => server.count('PutObject') > 5);
    expect(life.warnings).toHaveLength(1);
    expect(life.warnings[0]).toMatch(/refuses rows: AccessDenied.*s3:PutObject/);
    server.fault = () => undefined;
    await life.settled();
    expect(linesOf(server)).toEqual(['line']);
  });

  it('hangs, that is noticed, and the upload repeated', async () => {
    const life = await begin(undefined, { silenceMs: 50 });
    server.fault = () => (server.count('PutObject') < 2 ? { kind: 'hang' } : undefined);
    life.write('dt=1', 'line');
    await life.checkpoint();
    await life.settled();
    expect(linesOf(server)).toEqual(['line']);
    // Once more, when this process stood still that long while the third was answered.
    expect(server.count('PutObject')).toBeGreaterThanOrEqual(3);
  });

  it('hangs, stopping does not wait for it', async () => {
    const life = await begin();
    server.fault = () => ({ kind: 'hang' });
    for (let line = 0; line < 9; line++) life.write('dt=1', 'line');
    await life.checkpoint();
    await server.until(() => server.count('PutObject') > 0);
    await life.store.close();
    expect(life.failures).toEqual([]);
    expect(localFiles()).toHaveLength(9);
  });

  it('cuts connections, pieces that arrived are not sent again', async () => {
    const life = await begin();
    let left = 3;
    server.fault = ({ operation }) => {
      if (operation !== 'UploadPart' || server.count('UploadPart') % 2 === 0 || left === 0) return undefined;
      left--;
      return { kind: 'cut' };
    };
    life.write('dt=1', largeLine);
    await life.settled();
    expect(server.texts()).toEqual({ 'rows/dt=1/part-run-000001.txt': `${largeLine}\n` });
    expect(server.count('CreateMultipartUpload')).toBe(1);
    expect(server.count('UploadPart')).toBe(Math.ceil((largeLine.length + 1) / 1000) + 3);
  });

  it.each(['CompleteMultipartUpload', 'UploadPart', 'CreateMultipartUpload', 'PutObject'])(
    'does what was asked (%s), and the answer is lost, the object is the same',
    async (lost) => {
      const life = await begin();
      server.fault = ({ operation }) =>
        operation === lost && server.count(lost) === 0 ? { kind: 'lose-answer' } : undefined;
      life.write('dt=1', 'small');
      life.write('dt=1', largeLine);
      await life.settled();
      expect(Object.values(server.texts())).toEqual(['small\n', `${largeLine}\n`]);
      expect(new Set(server.history.map(({ key, bytes }) => `${key} ${bytes}`)).size).toBe(2);
    },
  );

  it('takes nothing, the source is held once the rows on this machine reach their limit', async () => {
    const life = await begin();
    server.fault = () => ({ status: 503, code: 'ServiceUnavailable' });
    let bytes = 0;
    while (!life.pressure.full) {
      const line = 'x'.repeat(99);
      bytes += line.length + 1;
      life.write('dt=1', line);
      await life.checkpoint();
      expect(bytes).toBeLessThanOrEqual(10_000);
    }
    expect(bytes).toBeGreaterThan(8000);
    server.fault = () => undefined;
    await life.pressure.relieved();
    expect(life.pressure.full).toBe(false);
  });
});

describe('after a crash', () => {
  const lines = ['small', largeLine];

  /** Lives until `point` of the first upload, or the first request of `operation`; returns the last checkpoint. */
  async function dieAt(at: { point?: CrashPoint; operation?: string }): Promise<PartsState> {
    const dies = vi.fn();
    const probe = (point: CrashPoint) => {
      if (point !== at.point) return;
      dies();
      throw new Error('killed');
    };
    const life = await begin(undefined, { probe });
    server.fault = ({ operation }) => {
      if (operation !== at.operation) return undefined;
      dies();
      return { kind: 'hang' };
    };
    for (const line of lines) life.write('dt=1', line);
    const state = await life.checkpoint();
    while (dies.mock.calls.length === 0) await turn();
    await life.store.close();
    server.fault = () => undefined;
    return state;
  }

  it.each([
    ['before the upload', { operation: 'PutObject' }],
    ['before the upload of pieces', { operation: 'CreateMultipartUpload' }],
    ['between two pieces', { operation: 'UploadPart' }],
    ['before the end of the upload', { operation: 'CompleteMultipartUpload' }],
    ['after the upload', { point: 'sink:part-renamed' as const }],
    ['after the local file is gone', { point: 'sink:commit-synced' as const }],
  ])('%s, each row is in one object, and no upload is left behind', async (_when, at) => {
    const state = await dieAt(at);
    expect(state.finished).toHaveLength(2);
    const life = await begin(state);
    await life.settled();
    expect(Object.values(server.texts())).toEqual(lines.map((line) => `${line}\n`));
    expect(server.uploads.size).toBe(0);
    expect(localFiles()).toEqual([]);
    expect(life.pressure.bytes).toBe(0);
  });

  it('multipart uploads of others are left alone', async () => {
    const others = ['rows/dt=1/part-other-000001.txt', 'rows/_dead-letters/dt=1/part-run-000001.txt', 'elsewhere'];
    for (const key of others) server.uploads.set(`of ${key}`, { key, pieces: new Map() });
    const ours = [1, 2, 3].map((sequence) => `rows/dt=1/part-run-00000${sequence}.txt`);
    for (const key of ours) server.uploads.set(`of ${key}`, { key, pieces: new Map() });
    server.pageSize = 2;
    await begin({ runID: 'run', nextSequence: 3, open: [], finished: [] });
    expect([...server.uploads.values()].map(({ key }) => key)).toEqual(others);
  });

  it('that fell back to an older checkpoint, what was visible since is taken back and made again', async () => {
    const first = await begin(undefined, { rollBytes: 1e9 });
    first.write('dt=1', 'one');
    const older = await first.checkpoint();
    first.write('dt=1', 'two');
    first.write('dt=2', 'three');
    first.store.finish();
    await first.checkpoint();
    await first.store.close();
    expect(Object.keys(server.texts())).toHaveLength(2);

    const second = await begin(older, { rollBytes: 1e9 });
    expect(server.texts()).toEqual({});
    for (const line of ['four', 'five']) second.write('dt=1', line);
    second.store.finish();
    await second.checkpoint();
    expect(server.texts()).toEqual({ 'rows/dt=1/part-run-000001.txt': 'one\nfour\nfive\n' });
    expect(localFiles()).toEqual([]);
  });

  it('that fell back, in the midst of taking back, it is taken back all the same', async () => {
    const first = await begin(undefined, { rollBytes: 1e9 });
    first.write('dt=1', largeLine);
    const older = await first.checkpoint();
    first.store.finish();
    await first.checkpoint();
    await first.store.close();
    server.fault = ({ operation }) => (operation === 'DeleteObject' ? { kind: 'hang' } : undefined);
    const second = new S3Life(server, { spool, rollBytes: 1e9 });
    const restored = second.store.restore(older).catch((error: unknown) => error);
    await server.until(() => server.count('DeleteObject') > 0);
    await second.store.close();
    expect(await restored).toMatchObject({ code: 'STOPPED' });
    server.fault = () => undefined;
    const third = await begin(older, { rollBytes: 1e9 });
    expect(server.texts()).toEqual({});
    third.store.finish();
    await third.checkpoint();
    expect(Object.values(server.texts())).toEqual([`${largeLine}\n`]);
  });

  it('with S3 away, it waits until it is back, and goes on', async () => {
    const state = await dieAt({ operation: 'PutObject' });
    server.fault = () => (server.requests.length < 40 ? { status: 500, code: 'InternalError' } : undefined);
    const life = await begin(state);
    await life.settled();
    expect(Object.keys(server.texts())).toHaveLength(2);
    expect(life.warnings).toHaveLength(2);
  });

  it('rows that are neither here nor in the bucket are told', async () => {
    const state = await dieAt({ operation: 'PutObject' });
    rmSync(`${spool}/dt=1`, { recursive: true });
    await expect(begin(state)).rejects.toMatchObject({ code: 'OUTPUT_LOST' });
    const open = state.finished.map((part) => ({ ...part, bytes: 5, openedAt: 0 }));
    await expect(begin({ ...state, finished: [], open })).rejects.toMatchObject({ code: 'OUTPUT_LOST' });
  });
});

describe('a start', () => {
  it('with a bucket that is not there says so, and what to do', async () => {
    await expect(begin(undefined, { path: 's3://other/rows' })).rejects.toMatchObject({
      code: 'S3_REFUSED',
      exitCode: 1,
      message: expect.stringMatching(/^S3SinkPath s3:\/\/other\/rows: .*NoSuchBucket.*Make the bucket/),
    });
  });

  it('without access, or in another region, says so', async () => {
    server.fault = () => ({ status: 403, code: 'AccessDenied' });
    await expect(begin()).rejects.toThrow(/AccessDenied.*Allow s3:ListBucket/);
    server.fault = () => ({ status: 301, code: 'PermanentRedirect' });
    await expect(begin()).rejects.toThrow(/another region: set aws.region/);
  });

  it('without credentials says so', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, undefined);
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, `${spool}/none`);
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    await expect(begin()).rejects.toThrow(/CredentialsProviderError.*AWS_ACCESS_KEY_ID/);
    expect(server.requests).toEqual([]);
  });

  it('that never reached the bucket ends after a few attempts', async () => {
    server.fault = () => ({ kind: 'cut' });
    await expect(begin()).rejects.toMatchObject({
      code: 'S3_REFUSED',
      message: expect.stringMatching(/can be reached/),
    });
    expect(server.requests).toHaveLength(5);
  });

  it('goes on where multipart uploads may not be listed', async () => {
    server.fault = ({ operation }) =>
      operation === 'ListMultipartUploads' ? { status: 501, code: 'NotImplemented' } : undefined;
    const life = await begin({ runID: 'run', nextSequence: 1, open: [], finished: [] });
    expect(life.warnings).toEqual([expect.stringMatching(/cannot be aborted/)]);
  });
});

function linesOf({ objects }: S3Server): string[] {
  return [...objects.values()].flatMap((bytes) => new TextDecoder().decode(bytes).trimEnd().split('\n')).sort();
}
