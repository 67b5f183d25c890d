import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildNativePeer, nativeJob } from '../../bench/flink-jobs.ts';
import { runJava } from '../../bench/jvm.ts';
import { temporaryFolder } from '../integration/folders.ts';
import { canonical, deadLetters, unfinished } from '../integration/outputs.ts';
import { completeReplay } from '../integration/program.ts';

const rolling = fileURLToPath(new URL('../../conformance/rolling/', import.meta.url));
const jobsFile = `${rolling}jobs.jsonl`;

beforeAll(() => buildNativePeer(), 300_000);

describe('the native Flink job that the benchmark measures against', () => {
  test.each([
    { companies: 'companies.csv', expected: 'expected-undated.csv', parallelism: 1 },
    { companies: 'companies.jsonl', expected: 'expected-dated.csv', parallelism: 2 },
  ])('does the same work: $expected, parallelism $parallelism', async ({ companies, expected, parallelism }) => {
    const output = `${await temporaryFolder()}/out`;
    const companiesFile = `${rolling}${companies}`;

    const { cpuSeconds } = await runJava(nativeJob({ companiesFile, jobsFile, output, parallelism }), jobsFile);

    expect(cpuSeconds).toBeGreaterThan(0);
    expect(await canonical(output)).toBe(await readFile(`${rolling}${expected}`, 'utf8'));
    expect(await unfinished(output)).toEqual([]);
    const node = `${await temporaryFolder()}/node`;
    await completeReplay({ companies: companiesFile, jobs: jobsFile, output: node });
    const lettersOf = async (folder: string) =>
      (await deadLetters(folder)).map(({ message: _, ...letter }) => ({ ...letter }));
    expect(await lettersOf(output)).toEqual(await lettersOf(node));
  });
});
