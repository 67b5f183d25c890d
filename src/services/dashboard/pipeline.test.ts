import { csvParse } from 'd3-dsv';
import { afterEach, expect, test } from 'vitest';
import { NOW } from '../../../test/support/dashboard-rows.ts';
import { listen, serviceServer } from '../server.ts';
import { dashboardApp } from './app.ts';
import { Dashboard } from './dashboard.ts';
import { readMetrics } from './pipeline.ts';
import { pipelineSchema } from './pipeline-schema.ts';

const METRICS = `# HELP rows_total Rows made, by sink
# TYPE rows_total counter
rows_total{sink="rows",why="a \\"b\\" } c"} 12

# HELP lag_seconds How far behind
# TYPE lag_seconds gauge
lag_seconds NaN
# TYPE took_ms histogram
took_ms_bucket{le="+Inf"} 3
took_ms_count 3 1700000000000
plain -1.5e3
this is no sample at all
`;
const ROWS = [
  {
    metric: 'rows_total',
    labels: 'sink="rows",why="a \\"b\\" } c"',
    value: 12,
    kind: 'counter',
    help: 'Rows made, by sink',
  },
  { metric: 'lag_seconds', labels: '', value: null, kind: 'gauge', help: 'How far behind' },
  { metric: 'took_ms_bucket', labels: 'le="+Inf"', value: 3, kind: 'histogram', help: '' },
  { metric: 'took_ms_count', labels: '', value: 3, kind: 'histogram', help: '' },
  { metric: 'plain', labels: '', value: -1500, kind: 'untyped', help: '' },
];

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function metricsServer(status: number, body: string): Promise<string> {
  const server = serviceServer();
  server.get('/metrics', async (_request, reply) => reply.status(status).type('text/plain').send(body));
  closing.push(() => server.close());
  return `${await listen(server, { port: 0, what: 'metrics', flag: '' })}/metrics`;
}

async function dashboardServer(metricsUrl: string) {
  const dashboard = await Dashboard.open({ now: () => NOW, warn: () => undefined });
  const server = serviceServer();
  await server.register(dashboardApp, { dashboard, webFolder: '/nowhere', pipeline: { metricsUrl }, version: '1' });
  closing.push(
    () => dashboard.close(),
    () => server.close(),
  );
  return server;
}

test('metrics are read as Prometheus writes them; what is no number is null, and strange lines are left out', () => {
  expect(readMetrics(METRICS)).toEqual(ROWS);
  expect(readMetrics('')).toEqual([]);
});

test('the metrics of the application are told as they are now, as JSON and as CSV, without those of the runtime', async () => {
  const runtime = '# TYPE nodejs_heap_size_used_bytes gauge\nnodejs_heap_size_used_bytes 1\n';
  const server = await dashboardServer(await metricsServer(200, METRICS + runtime));
  const answer = pipelineSchema.parse((await server.inject('/api/insights/pipeline')).json());
  expect(answer.rows).toEqual(ROWS);
  expect(answer.asOf.appliedAt).toBe(new Date(NOW).toISOString());
  const csv = csvParse((await server.inject('/api/insights/pipeline?format=csv')).body);
  expect(csv.map(({ metric, value }) => [metric, value])).toEqual(
    ROWS.map(({ metric, value }) => [metric, value === null ? '' : String(value)]),
  );
  expect((await server.inject('/api/insights')).json().insights.at(-1)).toMatchObject({ name: 'pipeline' });
});

test('an application that does not answer is 503, one that nobody named is 404', async () => {
  const asked = async (url: string) => {
    const response = await (await dashboardServer(url)).inject('/api/insights/pipeline');
    return [response.statusCode, typeof response.json().message];
  };
  expect(await asked(await metricsServer(503, 'not yet'))).toEqual([503, 'string']);
  expect(await asked('http://127.0.0.1:1/metrics')).toEqual([503, 'string']);
  expect(await asked('')).toEqual([404, 'string']);
});
