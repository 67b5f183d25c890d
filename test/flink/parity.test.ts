import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeWorld } from '../../src/hosts/node/node-world.ts';
import { replay } from '../../src/hosts/node/replay.ts';
import { seededWorld } from '../model/arbitraries.ts';
import { obviousModel } from '../model/obvious-model.ts';
import { type Profile, TestServices } from '../support/test-services.ts';
import { CONFORMANCE, canonicalText, GraphCluster, repeated, rowLines, writeInputs } from './support/graph-job.ts';
import { missing, needs } from './support/needs.ts';
import { jarWith } from './support/other-jar.ts';
import { scratchFolder } from './support/scratch.ts';

const folder = await scratchFolder();
const rolling = `${CONFORMANCE}rolling/`;
const dated = { companies: `${rolling}companies.jsonl`, expected: 'expected-dated.csv' };
const undated = { companies: `${rolling}companies.csv`, expected: 'expected-undated.csv' };

describe.skipIf(missing !== null)(`the graph makes the same rows on Flink as on Node${needs}`, () => {
  let graphs: GraphCluster;
  beforeAll(async () => {
    graphs = await GraphCluster.start({ folder: `${folder}/cluster` });
  });
  afterAll(() => graphs?.stop());

  describe.each([1, 2, 4])('with parallelism %i', (parallelism) => {
    test.each([dated, undated])('of the conformance data, $expected', async ({ companies, expected }) => {
      const output = `${folder}/conformance-${parallelism}-${expected}`;
      const job = { companies, jobs: `${rolling}jobs.jsonl`, output, parallelism };
      expect(await graphs.run(job)).toBe(await readFile(`${rolling}${expected}`, 'utf8'));
      expect(repeated(await rowLines(output))).toEqual([]);
    });

    test('of worlds with midnights, silences, restated counts and strange names', async () => {
      const seed = 40 + parallelism;
      const world = seededWorld(seed, { companies: 20, jobs: 3000 });
      const inputs = await writeInputs(`${folder}/world-${seed}`, world.companies, world.jobs);
      const output = `${folder}/world-${seed}/out`;
      const expected = obviousModel(world.modelCompanies, world.modelJobs, {
        decay: true,
        counting: 'rolling',
        outOfOrderness: 60_000,
      });
      expect(await graphs.run({ ...inputs, output, parallelism })).toBe(
        expected.canonical.map((line) => `${line}\n`).join(''),
      );
      expect(repeated(await rowLines(output))).toEqual([]);
    });
  });

  test('with lookups and scores of services that answer in any order', async () => {
    const { inputs, services } = await servedWorld(71, 400);
    try {
      const settings = services.settings();
      const texts = Object.fromEntries(settings.map((text) => text.split('=') as [string, string]));
      const onNode = `${folder}/served/node`;
      const request = { ...inputs, output: onNode, texts: { ApplicationConfigProperties: texts } };
      await replay(
        request,
        nodeWorld(() => undefined),
        { started: () => undefined },
      );
      const onFlink = `${folder}/served/flink`;
      const rows = await graphs.run({ ...inputs, output: onFlink, settings, parallelism: 2 });
      expect(rows).toBe(await canonicalText(onNode));
      const scored = (lines: string[]) => lines.filter((line) => line.includes('"scoreStatus":"scored"')).sort();
      // All that a row says but the time of TenantManager's answer, which is no part of it.
      expect(scored(await rowLines(onFlink))).toEqual(scored(await rowLines(onNode)));
    } finally {
      await services.stop();
    }
  });

  test('a new field, added in TypeScript alone, is in the rows', async () => {
    const jar = await jarWith('./other-graph.ts', `${folder}/other`);
    const output = `${folder}/other/out`;
    const job = { companies: dated.companies, jobs: `${rolling}jobs.jsonl`, output };
    expect(await graphs.run(job, jar)).toBe(await readFile(`${rolling}${dated.expected}`, 'utf8'));
    const rows = (await rowLines(output)).map((line) => JSON.parse(line) as { generation?: number });
    expect(rows.length).toBeGreaterThan(1000);
    expect(rows.filter(({ generation }) => generation !== 2)).toEqual([]);
  });

  test('the same jar submitted again and again finds its engine', async () => {
    const job = { companies: dated.companies, jobs: `${rolling}jobs.jsonl`, parallelism: 4 };
    const expected = await readFile(`${rolling}${dated.expected}`, 'utf8');
    const outputs = [1, 2, 3].map((round) => `${folder}/again-${round}`);
    for (const output of outputs) expect(await graphs.run({ ...job, output })).toBe(expected);
  });

  test('interpreted by GraalJS, when it is told to', async () => {
    const output = `${folder}/graaljs`;
    const job = { companies: dated.companies, jobs: `${rolling}jobs.jsonl`, output, settings: ['engine=graaljs'] };
    expect(await graphs.run(job)).toBe(await readFile(`${rolling}${dated.expected}`, 'utf8'));
  });
});

/** A small world, and services that know its companies and answer each after another while. */
async function servedWorld(seed: number, jobs: number) {
  const world = seededWorld(seed, { companies: 12, jobs });
  const inputs = await writeInputs(`${folder}/served`, world.companies, world.jobs);
  const tenants = new Map<string, Profile>();
  for (const { deleted, ...record } of world.companies) {
    if (deleted) tenants.delete(record.companyID);
    else tenants.set(record.companyID, record);
  }
  const services = new TestServices(tenants);
  services.delayMs = 2;
  await services.start();
  return { inputs, services };
}
