import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { companyHeader, decodeCompany } from '../../core/decode-company.ts';
import { decodeJob, jobHeader } from '../../core/decode-job.ts';
import type { CompanyRecord, JobEvent } from '../../core/events.ts';
import type { Source } from '../../runtime/contract.ts';
import { type InputFile, inspectInput } from './input-file.ts';

const common = {
  kind: 'source',
  id: 's',
  stream: 's',
  drivesWatermark: true,
  readFirst: false,
  maxRecordBytes: 1000,
} as const;
const jobs: Source<JobEvent> = { ...common, decode: decodeJob, eventTime: ({ time }) => time, header: jobHeader };
const companies: Source<CompanyRecord> = {
  ...common,
  decode: decodeCompany,
  eventTime: ({ time }) => time,
  header: companyHeader,
};

let folder = '';
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'input-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function written(content: string | Uint8Array, name = `input-${files++}.csv`): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}
const inspect = async (content: string | Uint8Array): Promise<InputFile> => inspectInput(await written(content), jobs);

describe('the first line of a file', () => {
  const header = 'company_id,userid,#job_submitted';
  const columns = { companyID: 0, userID: 1, nbJobs: 2 };

  test.each([
    ['a header, passed over and counted', `${header}\nc,u,1\n`, columns, { offset: 33, line: 1 }],
    ['a header that ends with CR LF', `${header}\r\nc,u,1\r\n`, columns, { offset: 34, line: 1 }],
    ['a header and nothing else', header, columns, { offset: 32, line: 1 }],
    ['a header after a byte order mark', `\ufeff${header}\nc,u,1\n`, columns, { offset: 36, line: 1 }],
    ['a record', 'c,u,1\nd,u,2\n', null, { offset: 0, line: 0 }],
    ['a record after a byte order mark', '\ufeffc,u,1\n', null, { offset: 3, line: 0 }],
    ['JSON after a byte order mark', '\ufeff{"companyID":"c"}\n', null, { offset: 3, line: 0 }],
    ['nothing', '', null, { offset: 0, line: 0 }],
    ['a byte order mark and nothing', '\ufeff', null, { offset: 3, line: 0 }],
    ['blank', '\nc,u,1\n', null, { offset: 0, line: 0 }],
  ])('may be %s', async (_, content, expectedColumns, start) => {
    expect(await inspect(content)).toMatchObject({ columns: expectedColumns, start, gzip: false });
    expect(await inspect(gzipSync(content))).toMatchObject({ columns: expectedColumns, start, gzip: true });
  });

  test('that is not UTF-8 is a record, to be told as such when it is read', async () => {
    expect(await inspect(Buffer.from('636f6dff2c752c310a', 'hex'))).toMatchObject({
      columns: null,
      start: { offset: 0 },
    });
  });

  test('that is very long is a record', async () => {
    const long = `c,${'u'.repeat(200_000)},1\n`;
    expect(await inspect(long)).toMatchObject({ columns: null, start: { offset: 0, line: 0 } });
  });
});

describe('a file that cannot be used is told before anything is read', () => {
  const unreadable = (message: RegExp) =>
    expect.objectContaining({ code: 'INPUT_UNREADABLE', exitCode: 2, message: expect.stringMatching(message) });

  test('when its header lacks a column that is required', async () => {
    const path = await written('company_id,date\n');
    await expect(inspectInput(path, jobs)).rejects.toThrow(
      unreadable(
        /^Cannot read .*: its header has no column for userID or user_id or userid, nor for nbJobs or .*: company_id,date\.$/,
      ),
    );
    await expect(inspectInput(await written(gzipSync('Company,Industry\n')), companies)).rejects.toThrow(
      unreadable(/no column for revenu or Revenue/),
    );
  });

  test('when its header is longer than what is looked at', async () => {
    const path = await written(`company_id,userid,#job_submitted,${'x'.repeat(70_000)}\nc,u,1\n`);
    await expect(inspectInput(path, jobs)).rejects.toThrow(unreadable(/a header of less than 65536 bytes/));
  });

  test('when it is not there, or a folder', async () => {
    await expect(inspectInput(join(folder, 'none.csv'), jobs)).rejects.toThrow(unreadable(/none\.csv: ENOENT/));
    await expect(inspectInput(folder, jobs)).rejects.toThrow(unreadable(/: expected a file, got something else\.$/));
  });

  test('when it is a gzip file that breaks off before its first line', async () => {
    const cut = gzipSync('company_id,userid,#job_submitted\n').subarray(0, 8);
    await expect(inspect(cut)).rejects.toThrow(expect.objectContaining({ code: 'INPUT_CORRUPT' }));
  });
});

describe('what a file is known by', () => {
  test('is its name, its size and its content, not where it lies or when it was touched', async () => {
    const path = await written('c,u,1\n', 'named.csv');
    const before = await inspectInput(path, jobs);
    await utimes(path, new Date(5000), new Date(1_234_567));
    const after = await inspectInput(path, jobs);
    expect(before.identity).toEqual({ name: 'named.csv', size: 6, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(after.identity).toEqual(before.identity);
    expect(after).toMatchObject({ path, modifiedAt: 1_234_567 });
    expect((await inspect('c,u,2\n')).identity.digest).not.toBe(before.identity.digest);
  });

  test('tells a change at its start, its end and anywhere in a small file', async () => {
    const content = Buffer.alloc(300_000, 'c,u,1\n');
    const digests = new Set([(await inspect(content)).identity.digest]);
    for (const at of [0, 1, 16_000, 150_000, 283_000, 299_998]) {
      const changed = Buffer.from(content);
      changed[at] = 0x37;
      digests.add((await inspect(changed)).identity.digest);
    }
    expect(digests.size).toBe(7);
  });
});
