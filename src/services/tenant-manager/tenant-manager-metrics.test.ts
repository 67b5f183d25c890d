import { afterAll, beforeAll, expect, test } from 'vitest';
import { inMemory, type TenantBackend } from '../../../test/support/tenant-databases.ts';
import { metricsText } from '../../observe/registry.ts';
import { tenantManagerMetrics } from './tenant-manager-metrics.ts';
import { TenantRepository } from './tenant-repository.ts';

const NOW = Date.UTC(2026, 5, 1);
const FIELDS = { industry: 'retail', revenu: 10, employees: 3, job30: 1, job90: 2, monthlyFee: 9, totalFee: 10 };

let backend: TenantBackend;
beforeAll(async () => {
  backend = await inMemory();
});
afterAll(() => backend?.stop());

test('tell how many changes wait, and how old the oldest is, also one that removes a tenant', async () => {
  const clock = { now: NOW };
  const now = () => clock.now;
  const tenants = new TenantRepository(await backend.open(), now, () => undefined);
  const { registry } = tenantManagerMetrics(tenants, now);
  const told = async () =>
    (await metricsText([registry])).split('\n').filter((line) => line.startsWith('tenant_manager_outbox'));
  expect(await told()).toEqual(['tenant_manager_outbox_records 0', 'tenant_manager_outbox_oldest_seconds 0']);

  await tenants.create('comp_1', FIELDS);
  clock.now += 30_000;
  await tenants.remove('comp_1', () => true);
  clock.now += 15_000;
  expect(await told()).toEqual(['tenant_manager_outbox_records 2', 'tenant_manager_outbox_oldest_seconds 45']);

  const [first] = await tenants.unsent(1);
  await tenants.sent([first?.id ?? 0]);
  expect(await told()).toEqual(['tenant_manager_outbox_records 1', 'tenant_manager_outbox_oldest_seconds 15']);
});

test('count what the stream accepted, and what it did not', async () => {
  const { registry, counted } = tenantManagerMetrics(
    { waiting: async () => ({ records: 0, oldest: undefined }) },
    () => 0,
  );
  let isWell = true;
  const publish = counted(async () => {
    if (!isWell) throw new Error('throttled');
  });
  await publish('comp_1', new Uint8Array());
  isWell = false;
  await expect(publish('comp_1', new Uint8Array())).rejects.toThrow('throttled');
  const text = await metricsText([registry]);
  expect(text).toContain('tenant_manager_published_total 1\n');
  expect(text).toContain('tenant_manager_publish_failures_total 1\n');
});

test('while the database does not answer the rest is told, and of the outbox nothing', async () => {
  let asked = 0;
  const waiting = async () => {
    asked++;
    throw new Error('gone');
  };
  const { registry } = tenantManagerMetrics({ waiting }, () => 0);
  const text = await metricsText([registry]);
  expect(text).not.toMatch(/^tenant_manager_outbox/m);
  expect(text).toContain('tenant_manager_published_total 0');
  expect(asked).toBe(1);
});
