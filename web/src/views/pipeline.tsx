import type { PipelineAnswer } from '../../../src/services/dashboard/insights-schema.ts';
import { Figure } from '../parts/figure.tsx';
import { Head } from '../parts/head.tsx';
import { DeadLetters, Host, Model, Services, Shards, Tiles, Vertices } from '../parts/pipeline-parts.tsx';
import type { Column } from '../parts/table.tsx';
import { type Insight, useInsight } from '../state/insight.ts';

type Metric = PipelineAnswer['rows'][number];

const EVERYTHING = 1000;
const AGAIN_MS = 5000;

/** How the application is doing on the host that runs it, as that tells it. */
export function Pipeline() {
  const pipeline = useInsight('pipeline', {}, true, AGAIN_MS);
  // Nothing was ever told: one place says why, rather than each.
  if (pipeline.answer === undefined && pipeline.failure !== undefined) {
    return (
      <>
        <Head title="Pipeline" />
        <AllMetrics insight={pipeline} title="The application" />
      </>
    );
  }
  return (
    <>
      <Head title="Pipeline">
        <Host insight={pipeline} />
      </Head>
      <Tiles insight={pipeline} />
      <Services insight={pipeline} />
      <DeadLetters insight={pipeline} />
      <div class="grid two">
        <Shards insight={pipeline} />
        <Model insight={pipeline} />
      </div>
      <Vertices insight={pipeline} />
      <details class="all">
        <summary>All metrics</summary>
        <AllMetrics insight={pipeline} title="Metrics of the application" />
      </details>
    </>
  );
}

function AllMetrics({ insight, title }: { readonly insight: Insight<'pipeline'>; readonly title: string }) {
  return (
    <Figure
      title={title}
      note="What it tells for Prometheus, at this moment; Flink's under the same names."
      insight={insight}
      columns={COLUMNS}
      file="pipeline-metrics"
      empty="The application tells no metrics."
      page={EVERYTHING}
      wide
    />
  );
}

const COLUMNS: readonly Column<Metric>[] = [
  { name: 'Metric', value: (row) => row.metric, show: (row) => <code>{row.metric}</code>, heads: true },
  { name: 'Labels', value: (row) => row.labels, show: (row) => <code>{row.labels}</code> },
  { name: 'Value', value: (row) => row.value },
  { name: 'Kind', value: (row) => row.kind },
  { name: 'Meaning', value: (row) => row.help, show: (row) => <span class="words">{row.help}</span> },
];
