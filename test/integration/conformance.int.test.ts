import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from './folders.ts';
import { canonical, deadLetters, lines, textLines, unfinished } from './outputs.ts';
import { completeReplay, type Replay, run } from './program.ts';

const CONFORMANCE = fileURLToPath(new URL('../../conformance/', import.meta.url));
const rolling = `${CONFORMANCE}rolling/`;
const jobs = `${rolling}jobs.jsonl`;

const dated = { companies: `${rolling}companies.jsonl`, expected: 'expected-dated.csv' };
const undated = { companies: `${rolling}companies.csv`, expected: 'expected-undated.csv' };

const expectedText = (name: string) => readFile(`${rolling}${name}`, 'utf8');

/** Its output, in a new folder. */
async function outputOf(replay: Omit<Replay, 'output'>): Promise<string> {
  const output = `${await temporaryFolder()}/out`;
  await completeReplay({ ...replay, output });
  return output;
}

test('the rows of the first version come out field by field, with an empty ninth column', async () => {
  const folder = `${CONFORMANCE}first-version/`;
  const output = await outputOf({
    companies: `${folder}companies.csv`,
    jobs: `${folder}jobs.csv`,
    settings: ['activity.counting=per-event', 'S3SinkFormat=csv'],
  });

  const expected = textLines(await readFile(`${folder}output.txt`, 'utf8')).map((line) => [...line.split(' '), '']);
  const rows = (await lines(output)).map((row) => row.split(','));
  expect(rows).toEqual(expected.sort((a, b) => (a.join(',') < b.join(',') ? -1 : 1)));
  expect(rows.map((row) => row.length)).toEqual([9, 9, 9, 9, 9, 9]);
});

describe('the rolling counts are right to the last byte', () => {
  test.each([dated, undated])('with $expected', async ({ companies, expected }) => {
    const output = await outputOf({ companies, jobs });
    expect(await canonical(output)).toBe(await expectedText(expected));
    expect(await unfinished(output)).toEqual([]);
  });

  test.each([dated, undated])('with $expected, from gzip files', async ({ companies, expected }) => {
    const folder = await temporaryFolder();
    const zip = async (path: string) => {
      const zipped = `${folder}/${basename(path)}.gz`;
      await writeFile(zipped, gzipSync(await readFile(path)));
      return zipped;
    };
    const output = await outputOf({ companies: await zip(companies), jobs: await zip(jobs) });
    expect(await canonical(output)).toBe(await expectedText(expected));
  });

  test('with jobs as CSV whose header has its columns in another order', async () => {
    const folder = await temporaryFolder();
    const rows = textLines(await readFile(jobs, 'utf8')).map((line) => {
      const { companyID, userID, nbJobs, creationDate } = JSON.parse(line) as Record<string, string | number>;
      return `${nbJobs},something,${creationDate},${userID},${companyID}`;
    });
    await writeFile(
      `${folder}/jobs.csv`,
      `${['#job_submitted,note,date,userid,company_id', ...rows].join('\r\n')}\r\n`,
    );
    const output = await outputOf({ companies: dated.companies, jobs: `${folder}/jobs.csv` });
    expect(await canonical(output)).toBe(await expectedText(dated.expected));
  });
});

describe('what cannot be counted', async () => {
  const output = await outputOf({ companies: dated.companies, jobs });
  const original = textLines(await readFile(jobs, 'utf8'));

  test('is a dead letter with its reason, its line and its bytes', async () => {
    const letters = await deadLetters(output);
    const count = (reason: string) => letters.filter((letter) => letter.reason === reason).length;
    expect([letters.length, count('unknown-company'), count('late')]).toEqual([52, 48, 4]);
    for (const { source, shardId, sequenceNumber, payload } of letters) {
      expect([source, shardId]).toEqual(['jobs.jsonl', null]);
      expect(Buffer.from(payload, 'base64').toString()).toBe(original[Number(sequenceNumber) - 1]);
    }
    const companies = await readFile(dated.companies, 'utf8');
    for (const { reason, payload } of letters) {
      const { companyID } = JSON.parse(Buffer.from(payload, 'base64').toString());
      if (reason === 'late') expect(companies).toContain(`"companyID":"${companyID}"`);
    }
  });

  test('can be listed from the output folder and from the folder of dead letters', async () => {
    const list = async (...words: string[]) => {
      const { code, stdout, stderr } = await run('dead-letters', 'list', ...words);
      expect([code, stderr]).toEqual([0, '']);
      return textLines(stdout);
    };
    const stored = await lines(output, 'dead-letters');
    // With the record as text beside its bytes, to read and to mend.
    const withRecord = stored.map((line) => {
      const letter = JSON.parse(line);
      return JSON.stringify({ ...letter, record: Buffer.from(letter.payload, 'base64').toString('utf8') });
    });
    expect((await list(output, '--json')).sort()).toEqual(withRecord.sort());
    expect((await list(`${output}/_dead-letters`, '--json')).sort()).toEqual(withRecord.sort());

    const late = await list(output, '--json', '--reason', 'late');
    expect(late.map((line) => JSON.parse(line).reason)).toEqual(['late', 'late', 'late', 'late']);
    expect(await list(output, '--json', '--reason', 'oversized')).toEqual([]);
    expect(await list(output, '--json', '--limit', '3')).toEqual((await list(output, '--json')).slice(0, 3));
    expect(await list(output, '--limit', '0')).toEqual([]);

    const [readable = '', payload = ''] = await list(output, '--reason', 'late', '--limit', '1');
    const { sequenceNumber, message } = JSON.parse(late[0] ?? '');
    expect(readable).toContain(`jobs.jsonl:${sequenceNumber}  late  ${message}`);
    expect(JSON.parse(payload)).toBe(original[sequenceNumber - 1]);
  });
});
