// Rows to a bucket while it refuses, and rows to a disk that is full.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { KinesisApi } from '../../src/connectors/kinesis/kinesis-api.ts';
import type { LocalKinesis } from '../support/local-kinesis.ts';
import { S3Server } from '../support/s3-server.ts';
import { filesBelow } from './folders.ts';
import { expectExact, jobsOf, kill, LiveApplication, liveKinesis, type Row, stopWell, until } from './live.ts';
import { oneLine, run, startWithin } from './program.ts';

const COMPANIES = Array.from({ length: 10 }, (_, nth) => `comp_${nth}`);

let kinesis: LocalKinesis;
let api: KinesisApi;
let s3: S3Server;
beforeAll(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  ({ kinesis, api } = await liveKinesis());
});
afterAll(() => vi.unstubAllEnvs());
beforeEach(async () => {
  s3 = await S3Server.start();
  return () => s3.stop();
});

async function liveOnS3(): Promise<LiveApplication> {
  const settings = ['S3SinkPath=s3://bucket/rows', `s3.endpoint=${s3.endpoint}`, 's3.pathStyle=true'];
  const live = await LiveApplication.create({ kinesis, api, settings });
  await live.putCompanies(...COMPANIES);
  return live;
}

const refuseAll = () => {
  s3.fault = () => ({ status: 503, code: 'SlowDown' });
};
const refuseNothing = () => {
  s3.fault = () => undefined;
};

function rowsIn(prefix: RegExp): Row[] {
  const texts = Object.entries(s3.texts()).filter(([key]) => prefix.test(key));
  return texts.flatMap(([, text]) => text.split('\n').slice(0, -1)).map((line) => JSON.parse(line) as Row);
}
const rowsInBucket = () => rowsIn(/^rows\/dt=[^/]+\/part-[^/]+\.jsonl$/);

/** Parts that wait for the bucket. */
async function spooled({ folder }: LiveApplication): Promise<number> {
  const spool = `${folder}/data/spool/rows`;
  return existsSync(spool) ? (await filesBelow(spool)).filter((name) => name.includes('part-')).length : 0;
}

describe('rows to S3', () => {
  test('that refuses for a while: they arrive when it takes them again, each once, and reading goes on meanwhile', async () => {
    const live = await liveOnS3();
    const program = live.start();
    await live.put(jobsOf(COMPANIES, 100));
    await until('rows in the bucket', program, () => rowsInBucket().length === 100);
    refuseAll();
    await live.put(jobsOf(COMPANIES, 100, 10));
    await until('enriched companies', program, async () => (await live.arrived()).length === 200);
    await until('refused uploads', program, () => s3.count('PutObject') > 3);
    expect(rowsInBucket()).toHaveLength(100);
    refuseNothing();
    await until('all rows', program, () => rowsInBucket().length === 200);
    await stopWell(program);
    expectExact({ ...(await live.outcome()), rows: rowsInBucket() }, 'never killed');
    expect(s3.history).toHaveLength(s3.objects.size);
    expect(await spooled(live)).toBe(0);
  });

  test('that refuses while the program is killed, and while it starts again: each row is in one object in the end', async () => {
    const live = await liveOnS3();
    let program = live.start();
    await live.put(jobsOf(COMPANIES, 50));
    await until('rows in the bucket', program, () => rowsInBucket().length === 50);
    refuseAll();
    await live.put(jobsOf(COMPANIES, 50, 5));
    await until(
      'refused uploads',
      program,
      async () => (await live.jobsInCheckpoint()) === 100 && s3.count('PutObject') > 3,
    );
    await kill(program);

    const asked = s3.requests.length;
    program = live.start();
    await live.put(jobsOf(COMPANIES, 50, 10));
    await until('it asks at its start', program, () => s3.requests.length > asked + 2);
    expect(program.hasEnded()).toBe(false);
    refuseNothing();
    await until('all rows', program, () => rowsInBucket().length === 150);
    await kill(program);

    // Answers that get lost, and one more kill.
    let lost = 0;
    s3.fault = ({ operation }) => (operation === 'PutObject' && lost++ < 3 ? { kind: 'lose-answer' } : undefined);
    program = live.start();
    await live.put(jobsOf(COMPANIES, 50, 15));
    await until('rows after lost answers', program, () => rowsInBucket().length >= 200);
    await stopWell(program);
    program = live.start();
    await until('all uploaded', program, async () => (await spooled(live)) === 0);
    await stopWell(program);
    expectExact({ ...(await live.outcome()), rows: rowsInBucket() }, 'killed');
    const values = new Set(s3.history.map(({ key, bytes }) => `${key} ${bytes}`));
    expect(values.size, 'an object never changes').toBe(s3.objects.size);
  });

  test('whose bucket does not exist, or may not be used: refused at the start, in one line', async () => {
    const live = await liveOnS3();
    const missing = await run(...live.words('S3SinkPath=s3://nowhere/rows'));
    expect(missing.code).toBe(1);
    expect(oneLine(missing.stderr)).toMatch(/nowhere.*\[S3_REFUSED\]$/);
    s3.fault = () => ({ status: 403, code: 'AccessDenied' });
    const denied = await run(...live.words());
    expect(denied.code).toBe(1);
    expect(oneLine(denied.stderr)).toMatch(/AccessDenied.*\[S3_REFUSED\]$/);
  });
});

describe('a disk that is full', () => {
  test('the program stops with one line that says so; with space again it goes on, and each row is there once', async () => {
    const live = await LiveApplication.create({ kinesis, api });
    await live.putCompanies(...COMPANIES);
    await live.put(jobsOf(COMPANIES, 600));
    for (const kibibytes of [40, 60]) {
      const { code, stdout, stderr } = await startWithin(kibibytes, ...live.words('sink.roll.age=5min')).ended;
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
        /no space left \(EFBIG\)\. Free some space .*\[STORAGE_FULL\]$/,
      );
    }
    const program = live.start();
    await live.rowsReached(600, program);
    await stopWell(program);
    expectExact(await live.outcome(), 'killed');
  });
});
