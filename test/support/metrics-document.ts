// docs/metrics.md, made from the table that the programs make their metrics from.
import { METRIC_TABLE, type MetricPart } from '../../src/observe/metric-table.ts';

const HEADINGS: Readonly<Record<MetricPart, string>> = {
  pipeline: 'The application',
  http: 'Every service',
  'tenant-manager': 'TenantManager',
  'churn-scoring': 'Churn scoring',
  'churn-model': 'The churn model (churn scoring and its model server)',
  dashboard: 'The dashboard',
  alerts: 'Alerts (the dashboard, when a target is configured)',
  process: 'Every process',
};

const ABOUT: Readonly<Partial<Record<MetricPart, string>>> = {
  pipeline: `The Node host tells them at \`/metrics\` (\`--metrics-port\`). Counters of the graph go on over restarts, those of calls begin with
the process. Names and labels are data ([\`metric-table.ts\`](../src/observe/metric-table.ts), where \`counterMetric\` turns a counter of
the graph into its metric), so that another host gives the same names: on Flink's metric groups with the label as a group
of key and value; Flink's Prometheus reporter puts its scope (\`flink_taskmanager_job_task_operator_\`) before them.`,
  http: '`service` is `tenant-manager`, `churn-scoring`, `churn-model` or `dashboard`.',
  process:
    "prom-client's own: of memory, CPU and event loop. `npm start` runs several services in one process: each `/metrics` then tells the same ones.",
};

export function metricsDocument(): string {
  const parts = (Object.keys(METRIC_TABLE) as MetricPart[]).map((part) => {
    const rows = Object.entries(METRIC_TABLE[part]).map(([name, { type, labels, meaning, whenBad }]) => {
      const labelled = labels.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${type} | ${labelled} | ${meaning} | ${whenBad} |`;
    });
    const about = ABOUT[part];
    return [
      `## ${HEADINGS[part]}`,
      ...(about === undefined ? [] : ['', about]),
      '',
      '| Metric | Type | Labels | Meaning | When it is bad |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  });
  return `${INTRODUCTION}\n${parts.join('\n\n')}\n`;
}

const INTRODUCTION = `# Metrics

In Prometheus' text format at \`GET /metrics\` of the application, TenantManager, churn scoring, its model server and the
dashboard, each on 127.0.0.1. A histogram has \`_bucket\`, \`_sum\` and \`_count\`. [\`grafana/tenant-analytics.json\`](grafana/tenant-analytics.json)
is a dashboard of them: in Grafana, Dashboards, New, Import. A configuration of Prometheus for \`npm start\`:

\`\`\`yaml
scrape_configs:
  - job_name: tenant-analytics
    static_configs:
      - targets: ['127.0.0.1:9464', '127.0.0.1:8080', '127.0.0.1:8081', '127.0.0.1:8082']
\`\`\`

This page is made from the table that the programs use: after a change of that, \`npx vitest run test/contract/metric-table.test.ts -u\`.
`;
