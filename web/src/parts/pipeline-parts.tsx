import type { PipelineAnswer } from '../../../src/services/dashboard/insights-schema.ts';
import type { Insight } from '../state/insight.ts';
import { bytes, count, duration, moment, NOTHING, percent, plural, rate } from '../text/format.ts';
import { numberColumn } from './cells.tsx';
import { Command } from './copy.tsx';
import { Figure } from './figure.tsx';
import { type Stat, Stats } from './stats.tsx';
import type { Column } from './table.tsx';

/* The parts of the view Pipeline: all from one answer, so all are as of the same moment. */

type Of<Row> = { readonly insight: Insight<'pipeline'>; readonly rows: (answer: PipelineAnswer) => readonly Row[] };
type Service = PipelineAnswer['services'][number];
type Shard = PipelineAnswer['shards'][number];
type Letters = PipelineAnswer['deadLetters'][number];
type Vertex = PipelineAnswer['vertices'][number];

interface Props {
  readonly insight: Insight<'pipeline'>;
}

function rowsOf<Row>({ insight, rows }: Of<Row>) {
  const { answer, failure } = insight;
  return { failure, answer: answer && { asOf: answer.asOf, rows: rows(answer) } };
}

/** Far beyond what a minute between checkpoints, and events of a minute, make of themselves. */
const LATE_SECONDS = 600;

/** Which host, and its state. */
export function Host({ insight: { answer } }: Props) {
  if (answer === undefined) return null;
  const { kind, url, state, isRunning, since, job, restarts, besides } = answer.host;
  return (
    <div class="host">
      <p>
        <strong>{kind === 'node' ? 'Node host' : 'Apache Flink'}</strong>{' '}
        <span class={isRunning ? 'badge good' : 'badge bad'}>{state.toLowerCase()}</span>{' '}
        <span class="note">
          {since !== null && `since ${moment(since)} UTC, `}
          {restarts !== null && `${plural(restarts, 'restart')}, `}
          {job !== null && `job ${job.name} ${job.id}, `}
          at {url}
        </span>
      </p>
      {besides !== '' && <p class="note">Also asked: {besides}.</p>}
    </div>
  );
}

export function Tiles({ insight }: Props) {
  const { answer } = insight;
  return (
    <Stats label="How the application is" insight={insight} stats={answer === undefined ? WAITING : tiles(answer)} />
  );
}

const WAITING: readonly Stat[] = ['Records in', 'Rows out', 'Watermark delay', 'Checkpoint age'].map((name) => ({
  name,
  value: undefined,
}));

function tiles({ flow, watermark, checkpoint, host, shards }: PipelineAnswer): readonly Stat[] {
  const { ageSeconds, bytes: size, durationSeconds, failed } = checkpoint;
  const behind = shards[0]?.behindSeconds;
  return [
    ...flow.sources.map(({ source, records, perSecond }) => ({
      name: `In: ${source}`,
      value: rate(perSecond),
      note: plural(records, 'record'),
    })),
    ...flow.sinks.map(({ sink, rows, perSecond }) => ({
      name: `Out: ${sink}`,
      value: rate(perSecond),
      note: plural(rows, 'row'),
    })),
    {
      name: 'Watermark delay',
      value: duration(watermark.delaySeconds),
      note: watermark.at === null ? 'no event yet' : `${moment(watermark.at)} UTC`,
      warns: (watermark.delaySeconds ?? 0) > LATE_SECONDS,
    },
    { name: 'Furthest shard', value: duration(behind), note: behind === undefined ? 'not told' : 'behind its tip' },
    {
      name: 'Checkpoint age',
      value: duration(ageSeconds),
      note:
        ageSeconds === null
          ? 'none yet'
          : `${bytes(size)} in ${duration(durationSeconds)}${failed === null ? '' : `, ${count(failed)} failed`}`,
      warns: !host.isRunning || (ageSeconds ?? 0) > LATE_SECONDS,
    },
    { name: 'Back-pressure', value: bytes(flow.backPressureBytes), note: 'handed on, not done' },
  ];
}

export function Services({ insight }: Props) {
  return (
    <Figure
      title="Calls"
      note="Latency: since the host started, estimated from its histogram; Flink does not tell it. To ask again: rows that left without a score."
      insight={rowsOf({ insight, rows: ({ services }) => services })}
      columns={SERVICE_COLUMNS}
      file="pipeline-calls"
      empty="The application calls no service, or has not told of one yet."
      wide
    />
  );
}

const BREAKERS = { closed: 'badge good', 'half-open': 'badge', open: 'badge bad' } as const;

const SERVICE_COLUMNS: readonly Column<Service>[] = [
  { name: 'Service', value: (row) => row.service, heads: true },
  {
    name: 'Breaker',
    value: (row) => row.breaker,
    show: ({ breaker }) => (breaker === null ? NOTHING : <span class={BREAKERS[breaker]}>{breaker}</span>),
  },
  { name: 'Calls/s', value: (row) => row.callsPerSecond, show: (row) => rate(row.callsPerSecond) },
  { name: 'p50', value: (row) => row.p50, show: (row) => duration(row.p50) },
  { name: 'p99', value: (row) => row.p99, show: (row) => duration(row.p99) },
  numberColumn('Calls', (row) => row.calls),
  numberColumn('Failures', (row) => row.failures),
  numberColumn('Given up', (row) => row.givenUp),
  numberColumn('Held', (row) => row.held),
  numberColumn('To ask again', (row) => row.toAskAgain),
];

export function Shards({ insight }: Props) {
  return (
    <Figure
      title="Lag by shard"
      note="How far the last read of each was behind its tip."
      insight={rowsOf({ insight, rows: ({ shards }) => shards })}
      columns={SHARD_COLUMNS}
      file="pipeline-shards"
      empty="No shard is told of yet: sources that are files have none."
      page={10}
    />
  );
}

const SHARD_COLUMNS: readonly Column<Shard>[] = [
  { name: 'Shard', value: (row) => row.shard, show: (row) => <code>{row.shard}</code>, heads: true },
  { name: 'Behind', value: (row) => row.behindSeconds, show: (row) => duration(row.behindSeconds) },
  {
    name: 'State',
    value: (row) => (row.isIdle === null ? null : row.isIdle ? 'idle' : 'active'),
    show: ({ isIdle }) => (isIdle === null ? NOTHING : <span class="badge">{isIdle ? 'idle' : 'active'}</span>),
  },
];

export function DeadLetters({ insight }: Props) {
  return (
    <Figure
      title="Dead letters"
      note="Records that could not be used. List them to see why, mend the cause, then replay. OUTPUT: where the run writes. With a local Kinesis add --endpoint to replay."
      insight={rowsOf({ insight, rows: ({ deadLetters }) => deadLetters })}
      columns={LETTER_COLUMNS}
      file="pipeline-dead-letters"
      empty="None: every record could be used."
      wide
    />
  );
}

const LETTER_COLUMNS: readonly Column<Letters>[] = [
  { name: 'Reason', value: (row) => row.reason, heads: true },
  numberColumn('Letters', (row) => row.count),
  { name: 'Now', value: (row) => row.perSecond, show: (row) => rate(row.perSecond) },
  {
    name: 'List',
    value: (row) => row.list,
    show: (row) => <Command text={row.list} what={`lists letters that are ${row.reason}`} />,
  },
  {
    name: 'Replay',
    value: (row) => row.replay,
    show: (row) => <Command text={row.replay} what={`replays letters that are ${row.reason}`} />,
  },
];

export function Vertices({ insight }: Props) {
  if (insight.answer?.host.kind !== 'flink') return null;
  return (
    <Figure
      title="Vertices of the Flink job"
      insight={rowsOf({ insight, rows: ({ vertices }) => vertices })}
      columns={VERTEX_COLUMNS}
      file="pipeline-vertices"
      empty="The job has no vertices."
      wide
    />
  );
}

const VERTEX_COLUMNS: readonly Column<Vertex>[] = [
  { name: 'Vertex', value: (row) => row.name, show: (row) => <span class="words">{row.name}</span>, heads: true },
  { name: 'Status', value: (row) => row.status, show: (row) => row.status.toLowerCase() },
  numberColumn('Parallelism', (row) => row.parallelism),
  { name: 'Records in', value: (row) => row.recordsInPerSecond, show: (row) => rate(row.recordsInPerSecond) },
  { name: 'Records out', value: (row) => row.recordsOutPerSecond, show: (row) => rate(row.recordsOutPerSecond) },
];

interface Fact {
  readonly name: string;
  readonly value: string;
}

export function Model({ insight }: Props) {
  const { answer } = insight;
  const problem = answer?.modelProblem ?? '';
  const model = answer?.model;
  return (
    <Figure
      title="Model health"
      note={model == null ? undefined : model.state === 'well' ? 'Well.' : `Look: ${model.reasons.join('; ')}.`}
      insight={rowsOf({ insight, rows: factsOf })}
      columns={FACT_COLUMNS}
      file="pipeline-model"
      empty={
        problem === ''
          ? 'Not told. Start the dashboard with --model-metrics-url, the metrics of churn scoring.'
          : `Not told: ${problem}.`
      }
    />
  );
}

function factsOf({ model }: PipelineAnswer): readonly Fact[] {
  if (model === null) return [];
  const { version, rows, windowRows, drift, unknownIndustryRatio, outcomes, calibrationError, brierScore } = model;
  const few = (value: number | null) => (value === null ? 'not known yet' : value.toFixed(3));
  return [
    { name: 'Version', value: version ?? NOTHING },
    { name: 'Rows scored', value: count(rows) },
    {
      name: 'Drift (PSI, 0.25 is much)',
      value:
        drift === null ? `not known yet, of ${count(windowRows)} rows` : `${drift.psi.toFixed(3)}, ${drift.feature}`,
    },
    { name: 'Unknown industries', value: percent(unknownIndustryRatio) },
    { name: 'Outcomes told', value: count(outcomes) },
    { name: 'Calibration error', value: few(calibrationError) },
    { name: 'Brier score', value: few(brierScore) },
  ];
}

const FACT_COLUMNS: readonly Column<Fact>[] = [
  { name: 'What', value: (row) => row.name, heads: true },
  { name: 'Value', value: (row) => row.value },
];
