import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PlanRequest, plan } from './plan.ts';

const REQUEST: PlanRequest = {
  numbers: { eventsPerSecond: '100', companies: '1000' },
  host: 'flink',
  streams: 'provisioned',
  prices: undefined,
  texts: {},
};
const set = (values: Record<string, string>) => plan({ ...REQUEST, texts: { ApplicationConfigProperties: values } });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plan-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('the parameters of the application count, with its own defaults', async () => {
  const byDefault = await plan(REQUEST);
  expect(byDefault.load.lookups.mean).toBeCloseTo(1000 / (10 + 300), 6);
  expect((await set({ 'tenant.cache.ttl': '10 s' })).load.lookups.mean).toBeCloseTo(1000 / (10 + 10), 6);
  expect((await set({ enrichment: 'join' })).load.lookups.mean).toBe(0);
  expect((await set({ scoring: 'off' })).load.scores.mean).toBe(0);
  expect((await set({ 'activity.decay': 'off' })).load.midnightRows).toBe(0);
  expect((await set({ 'activity.counting': 'per-event' })).load.midnightRows).toBe(0);
  expect((await set({ 'score.concurrency': '700' })).host.scoreInFlight.perSubtask).toBe(700);
  const parts = ({ cost }: Awaited<ReturnType<typeof plan>>) => new Set(cost.lines.map(({ part }) => part));
  expect(parts(byDefault)).toContain('churn scoring');
  expect(parts(await set({ scoring: 'off', enrichment: 'join' }))).not.toContain('churn scoring');
  expect(parts(await set({ scoring: 'off', enrichment: 'join' }))).not.toContain('TenantManager');
});

test('a name or value that is none is refused as by run', async () => {
  await expect(set({ 'tenant.cache.tll': '1 s' })).rejects.toMatchObject({ code: 'PARAMETER_UNKNOWN' });
  await expect(set({ 'tenant.cache.ttl': 'soon' })).rejects.toMatchObject({ code: 'PARAMETER_INVALID' });
});

test('prices of a file stand in place of those of the package', async () => {
  const shipped = await readFile(new URL('../../../prices.json', import.meta.url), 'utf8');
  const file = JSON.parse(shipped) as { region: string; prices: Record<string, { price: number }> };
  file.region = 'eu-central-1';
  for (const price of Object.values(file.prices)) price.price *= 3;
  await writeFile(`${folder}/mine.json`, JSON.stringify(file));
  const mine = await plan({ ...REQUEST, prices: `${folder}/mine.json` });
  expect(mine.prices.region).toBe('eu-central-1');
  expect(mine.cost.perMonth).toBeCloseTo(3 * (await plan(REQUEST)).cost.perMonth, 6);
});

test('a file that cannot be read is named, and what to do', async () => {
  await expect(plan({ ...REQUEST, prices: `${folder}/none.json` })).rejects.toMatchObject({
    code: 'INPUT_UNREADABLE',
    message: expect.stringMatching(/--prices: .*none\.json.*copy prices\.json/),
  });
});
