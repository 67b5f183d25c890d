// One table of metrics: what programs tell, what is documented and what Grafana asks for agree with it.
import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { afterAll, describe, expect, test } from 'vitest';
import { runMetrics } from '../../src/hosts/node/metrics.ts';
import { counterMetric, METRIC_TABLE, type MetricPart } from '../../src/observe/metric-table.ts';
import { metricsText, processMetrics } from '../../src/observe/registry.ts';
import { Alerts } from '../../src/services/alerts/alerts.ts';
import { alertsMetrics } from '../../src/services/alerts/alerts-metrics.ts';
import { churnScoring } from '../../src/services/churn-scoring/app.ts';
import { churnModel } from '../../src/services/churn-scoring/churn-model.ts';
import { ModelHealth } from '../../src/services/churn-scoring/model-health.ts';
import { dashboardMetrics } from '../../src/services/dashboard/dashboard-metrics.ts';
import { observeRequests } from '../../src/services/observe.ts';
import { serviceServer } from '../../src/services/server.ts';
import { tenantManagerMetrics } from '../../src/services/tenant-manager/tenant-manager-metrics.ts';
import { metricsDocument } from '../support/metrics-document.ts';

const servers: ReturnType<typeof serviceServer>[] = [];
afterAll(async () => {
  for (const server of servers) await server.close();
});

async function registryOf(part: MetricPart): Promise<Registry> {
  const registry = new Registry();
  switch (part) {
    case 'pipeline': {
      const status = { partitions: [], services: [], watermark: 0, lastCheckpoint: undefined, backPressureBytes: 0 };
      return runMetrics({ status: () => status, counters: {} }, { now: () => 0 });
    }
    case 'http':
      observeRequests(serviceServer(), { service: 'any', registry });
      return registry;
    case 'tenant-manager':
      return tenantManagerMetrics({ waiting: async () => ({ records: 0, oldest: undefined }) }, () => 0).registry;
    case 'churn-scoring': {
      const server = serviceServer();
      servers.push(server);
      await server.register(churnScoring, { apiKey: '', registry });
      return registry;
    }
    case 'churn-model':
      return new ModelHealth(churnModel).registry;
    case 'dashboard': {
      const progress = { rows: 0, unusable: 0, waiting: 0, isCatchingUp: false, feedReaders: 0 };
      return dashboardMetrics({ progress });
    }
    case 'alerts': {
      const settings = { targets: [], quietMs: 0, silentDays: 7, link: '' };
      const store = { open: async () => undefined, commit: async () => undefined };
      const world = { now: () => 0, random: () => 0, sleep: async () => undefined, warn: () => undefined };
      return alertsMetrics(await Alerts.open(store, settings, world));
    }
    case 'process':
      return processMetrics();
  }
}

/** What Prometheus is told: name and type. */
async function told(registry: Registry): Promise<Record<string, string>> {
  const lines = (await metricsText([registry])).matchAll(/^# TYPE (\S+) (\S+)$/gm);
  return Object.fromEntries([...lines].map(([, name = '', type = '']) => [name, type]));
}

const PARTS = Object.keys(METRIC_TABLE) as MetricPart[];

describe.each(PARTS)('the metrics of %s', (part) => {
  test('are those of the table, with their types, and no others', async () => {
    const wanted = Object.entries(METRIC_TABLE[part]).map(
      ([name, { type, meaning }]) => [name, type, meaning] as const,
    );
    const elsewhere = process.platform !== 'linux';
    const ofTable = wanted.filter(([, , meaning]) => !(elsewhere && meaning.includes('(Linux)')));
    expect(await told(await registryOf(part))).toEqual(Object.fromEntries(ofTable.map(([name, type]) => [name, type])));
  });

  test('take the labels of the table', async () => {
    const registry = await registryOf(part);
    for (const [name, { labels }] of Object.entries(METRIC_TABLE[part])) {
      const metric = registry.getSingleMetric(name) as unknown as { labelNames?: readonly string[] } | undefined;
      // A histogram that is looked up has its labels with its values (metrics.test.ts).
      if (metric?.labelNames !== undefined)
        expect([name, [...metric.labelNames].sort()]).toEqual([name, [...labels].sort()]);
    }
  });
});

test('no name is in two parts, each has a meaning and what to do', () => {
  const names = PARTS.flatMap((part) => Object.keys(METRIC_TABLE[part]));
  expect(new Set(names).size).toBe(names.length);
  for (const part of PARTS) {
    for (const [name, { type, meaning, whenBad }] of Object.entries(METRIC_TABLE[part])) {
      expect(name).toMatch(/^[a-z][a-z0-9_]+$/);
      expect([meaning, whenBad].every((text) => /^\S.*[.]$/.test(text) && !text.includes('|'))).toBe(true);
      if (type === 'counter') expect(name).toMatch(/_total$/);
    }
  }
});

test('docs/metrics.md is the table, as it is now', async () => {
  await expect(metricsDocument()).toMatchFileSnapshot('../../docs/metrics.md');
});

test.each([
  ['records.jobs', 'tenant_analytics_records_total', 'source', 'jobs'],
  ['rows.enrichedcompanies', 'tenant_analytics_rows_total', 'sink', 'enrichedcompanies'],
  ['dead-letters.unknown-company', 'tenant_analytics_dead_letters_total', 'reason', 'unknown-company'],
  ['calls-failed.churn-scoring', 'tenant_analytics_calls_given_up_total', 'service', 'churn-scoring'],
  ['stale-company-records', 'tenant_analytics_stage_events_total', 'event', 'stale-company-records'],
  ['records', 'tenant_analytics_stage_events_total', 'event', 'records'],
])('the counter %s of a graph is %s on every host', (counter, name, label, value) => {
  expect(counterMetric(counter)).toEqual({ name, label, value });
});

describe('the dashboard for Grafana', () => {
  const dashboard = JSON.parse(
    readFileSync(new URL('../../docs/grafana/tenant-analytics.json', import.meta.url), 'utf8'),
  ) as GrafanaDashboard;
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');

  test('has what Grafana needs to import it', () => {
    expect(dashboard).toMatchObject({
      id: null,
      uid: expect.any(String),
      title: expect.any(String),
      version: expect.any(Number),
    });
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(36);
    expect(dashboard.time).toEqual({ from: expect.any(String), to: 'now' });
    expect(dashboard.templating.list).toContainEqual(
      expect.objectContaining({ name: 'datasource', type: 'datasource', query: 'prometheus' }),
    );
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    for (const { title, type, gridPos, datasource, targets = [], fieldConfig, options } of panels) {
      expect([title, type]).toEqual([expect.stringMatching(/\S/), expect.stringMatching(/^(timeseries|stat)$/)]);
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      expect(datasource).toEqual({ type: 'prometheus', uid: '$' + '{datasource}' });
      expect([typeof fieldConfig, typeof options]).toEqual(['object', 'object']);
      expect(targets.length).toBeGreaterThan(0);
      for (const { expr, refId, legendFormat } of targets) {
        expect([typeof expr, typeof refId, typeof legendFormat]).toEqual(['string', 'string', 'string']);
      }
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
    }
  });

  test('no panel lies over another one', () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, nth) => `${x + (nth % w)},${y + Math.floor(nth / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });

  test('asks only for metrics and labels that there are', () => {
    const table = Object.assign({}, ...Object.values(METRIC_TABLE)) as (typeof METRIC_TABLE)[MetricPart];
    for (const { expr } of panels.flatMap(({ targets = [] }) => targets)) {
      const names = [
        ...expr.matchAll(/\b(?:tenant_analytics|tenant_manager|churn_\w+?|dashboard|alerts|process|nodejs)_\w+/g),
      ];
      expect(names.length).toBeGreaterThan(0);
      for (const [name] of names) {
        const metric = table[name] ?? table[name.replace(/_(bucket|sum|count)$/, '')];
        expect([name, metric?.type]).toEqual([name, expect.stringMatching(/counter|gauge|histogram/)]);
        if (table[name] === undefined) expect(metric?.type).toBe('histogram');
        const asked = [...expr.matchAll(new RegExp(`${name}\\{([^}]*)\\}`, 'g'))].flatMap(([, inside = '']) =>
          [...inside.matchAll(/(\w+)\s*(?:=|!)/g)].map(([, label = '']) => label),
        );
        for (const label of asked) expect([...(metric?.labels ?? []), 'job', 'instance', 'le']).toContain(label);
      }
    }
  });

  test.each([
    'tenant_analytics_records_total',
    'tenant_analytics_rows_total',
    'tenant_analytics_shard_behind_seconds',
    'tenant_analytics_watermark_seconds',
    'tenant_analytics_checkpoint_age_seconds',
    'tenant_analytics_checkpoint_bytes',
    'tenant_analytics_checkpoint_duration_seconds',
    'tenant_analytics_calls_total',
    'tenant_analytics_call_seconds_bucket',
    'tenant_analytics_breaker_open',
    'tenant_analytics_dead_letters_total',
    'tenant_analytics_calls_given_up_total',
    'tenant_manager_outbox_oldest_seconds',
    'tenant_analytics_http_requests_total',
    'tenant_analytics_http_request_seconds_bucket',
    'churn_model_psi',
  ])('shows %s', (name) => {
    expect(panels.some(({ targets = [] }) => targets.some(({ expr }) => expr.includes(name)))).toBe(true);
  });
});

interface GrafanaDashboard {
  readonly schemaVersion: number;
  readonly time: unknown;
  readonly templating: { readonly list: readonly unknown[] };
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly type: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly datasource?: unknown;
    readonly fieldConfig?: unknown;
    readonly options?: unknown;
    readonly targets?: readonly { readonly expr: string; readonly refId: string; readonly legendFormat: string }[];
  }[];
}
