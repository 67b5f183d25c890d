import type { PipelineAnswer } from '../../../src/services/dashboard/insights-schema.ts';
import { Figure } from '../parts/figure.tsx';
import { Head } from '../parts/head.tsx';
import type { Column } from '../parts/table.tsx';
import { useInsight } from '../state/insight.ts';

type Metric = PipelineAnswer['rows'][number];

const EVERYTHING = 1000;

/** How the application itself is doing, as it tells it. */
export function Pipeline() {
  const metrics = useInsight('pipeline');
  return (
    <>
      <Head title="Pipeline" />
      <Figure
        title="Metrics of the application"
        note="What it tells for Prometheus, at this moment."
        insight={metrics}
        columns={COLUMNS}
        file="pipeline-metrics"
        empty="The application tells no metrics."
        page={EVERYTHING}
        wide
      />
    </>
  );
}

const COLUMNS: readonly Column<Metric>[] = [
  { name: 'Metric', value: (row) => row.metric, show: (row) => <code>{row.metric}</code>, heads: true },
  { name: 'Labels', value: (row) => row.labels, show: (row) => <code>{row.labels}</code> },
  { name: 'Value', value: (row) => row.value },
  { name: 'Kind', value: (row) => row.kind },
  { name: 'Meaning', value: (row) => row.help, show: (row) => <span class="words">{row.help}</span> },
];
