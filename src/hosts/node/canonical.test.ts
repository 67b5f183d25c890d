import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { canonicalRows } from './canonical.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canonical-'));
});
afterEach(() => rm(folder, { recursive: true }));

const row = (companyID: string, version: number, more: object = {}): object => ({
  ...{ companyID, trigger: 'job', eventTime: 5, userID: 'u', nbJobs: 1, job30: 2, job90: 3, version },
  ...{ scoreStatus: 'off', ...more },
});

async function write(path: string, ...rows: (object | string)[]): Promise<void> {
  const whole = join(folder, path);
  await mkdir(dirname(whole), { recursive: true });
  await writeFile(whole, rows.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''));
}

describe('the canonical rows of a folder', () => {
  test('are one line each, with the eight fields, sorted, over all its parts', async () => {
    await write('dt=2025-01-02/part-b-000001.jsonl', row('b', 1), row('a', 2));
    await write(
      'dt=2025-01-01/part-a-000000.jsonl',
      row('a', 1),
      row('a', 10, { trigger: 'decay', userID: undefined }),
    );
    await write('part-0.jsonl', row('c', 1, { nbJobs: 0, job30: 40, job90: 90, eventTime: 1_750_000_000_000 }));
    expect(await canonicalRows(folder)).toEqual([
      'decay,a,5,,1,2,3,10',
      'job,a,5,u,1,2,3,1',
      'job,a,5,u,1,2,3,2',
      'job,b,5,u,1,2,3,1',
      'job,c,1750000000000,u,0,40,90,1',
    ]);
  });

  test('are none in an empty folder', async () => {
    expect(await canonicalRows(folder)).toEqual([]);
  });

  test('sort by their UTF-8 bytes: an emoji after the last characters of UTF-16', async () => {
    const ids = ['\u{1F680}', '\uFF01', '\uFFFD', '\uE000', '\uD7FF', 'é', 'z', 'Z', '\u2028', '!'];
    await write('part.jsonl', ...ids.map((id) => row(id, 1)));
    const sorted = ['!', 'Z', 'z', 'é', '\u2028', '\uD7FF', '\uE000', '\uFF01', '\uFFFD', '\u{1F680}'];
    expect(await canonicalRows(folder)).toEqual(sorted.map((id) => `job,${id},5,u,1,2,3,1`));
  });

  test('sort plain text as the same bytes', async () => {
    await write('part.jsonl', ...['b', 'a-b', 'a,b', 'a', 'B', 'a.b'].map((id) => row(id, 1)));
    const lines = await canonicalRows(folder);
    expect(lines).toEqual(lines.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  });

  test('quote a comma, a quote and a line break, and nothing else', async () => {
    await write('part.jsonl', row('a,b', 1), row('say "hi"', 1), row('two\nlines', 1), row('cr\r', 1), row(' x ', 1));
    expect((await canonicalRows(folder)).sort()).toEqual(
      [
        'job,"a,b",5,u,1,2,3,1',
        'job,"say ""hi""",5,u,1,2,3,1',
        'job,"two\nlines",5,u,1,2,3,1',
        'job,"cr\r",5,u,1,2,3,1',
        'job, x ,5,u,1,2,3,1',
      ].sort(),
    );
  });

  test('hold one row of a company and version: the scored one, whichever came first', async () => {
    const waiting = { scoreStatus: 'unavailable', userID: 'waiting' };
    const scored = { scoreStatus: 'scored', userID: 'scored' };
    await write(
      'dt=1/part.jsonl',
      row('a', 1, waiting),
      row('b', 1, scored),
      row('c', 1, waiting),
      row('d', 1, waiting),
    );
    await write(
      'dt=2/part.jsonl',
      row('a', 1, scored),
      row('b', 1, waiting),
      row('c', 1, waiting),
      row('d', 2, scored),
    );
    expect(await canonicalRows(folder)).toEqual([
      'job,a,5,scored,1,2,3,1',
      'job,b,5,scored,1,2,3,1',
      'job,c,5,waiting,1,2,3,1',
      'job,d,5,scored,1,2,3,2',
      'job,d,5,waiting,1,2,3,1',
    ]);
  });

  test('leave out dead letters, hidden and unfinished files, and what is not JSON', async () => {
    await write('dt=1/part-a-000000.jsonl', row('a', 1));
    await write('dt=1/.part-a-000001.jsonl.inprogress', row('b', 1));
    await write('dt=1/.part-a-000001.jsonl', row('c', 1));
    await write('dt=1/_part.jsonl', row('d', 1));
    await write('dt=1/part-a-000002.jsonl.inprogress', row('e', 1));
    await write('_dead-letters/dt=1/part.jsonl', { reason: 'late' });
    await write('.state/checkpoints/x.jsonl', 'not a row');
    await write('dt=1/part-a-000003.csv', 'a,b,c');
    expect(await canonicalRows(folder)).toEqual(['job,a,5,u,1,2,3,1']);
  });

  test('take blank lines and a missing last line end as they come', async () => {
    await write('part.jsonl', '', row('a', 1), '  ', row('b', 1), '');
    await writeFile(join(folder, 'tail.jsonl'), JSON.stringify(row('c', 1)));
    expect(await canonicalRows(folder)).toHaveLength(3);
  });
});

describe('what is no row is told with its file and line', () => {
  test.each<[string, string | object, string]>([
    ['broken JSON', '{"companyID":"a"', 'expected a JSON object: '],
    ['a list', '[1]', 'expected a JSON object, got [1]'],
    ['null', 'null', 'expected a JSON object, got null'],
    ['a row without a company', row('a', 1, { companyID: undefined }), 'expected a row with companyID, got undefined'],
    ['a row without a version', row('a', 1, { version: '1' }), 'expected a row with version, got string'],
    ['a row without a count', row('a', 1, { job30: null }), 'expected a row with job30, got object'],
    ['a user that is no text', row('a', 1, { userID: 5 }), 'expected a row with userID, got number'],
  ])('%s', async (_, line, message) => {
    await write('dt=1/part.jsonl', row('z', 1), '', line);
    const corrupt = { code: 'INPUT_CORRUPT', message: expect.stringContaining(`dt=1/part.jsonl:3: ${message}`) };
    await expect(canonicalRows(folder)).rejects.toThrow(expect.objectContaining(corrupt));
  });

  test('a folder that is not there is told as such', async () => {
    const unreadable = { code: 'INPUT_UNREADABLE', exitCode: 2, message: expect.stringContaining('ENOENT') };
    await expect(canonicalRows(join(folder, 'none'))).rejects.toThrow(expect.objectContaining(unreadable));
  });
});
