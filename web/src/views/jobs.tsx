import { useState } from 'preact/hooks';
import type { InsightRow } from '../../../src/services/dashboard/insights-schema.ts';
import { columns } from '../charts/columns.ts';
import { companyColumn, industryColumn, lastJobColumn, numberColumn } from '../parts/cells.tsx';
import { CompanyChooser } from '../parts/company-chooser.tsx';
import { Figure } from '../parts/figure.tsx';
import { Head } from '../parts/head.tsx';
import { Segments } from '../parts/segments.tsx';
import { Stats } from '../parts/stats.tsx';
import type { Column } from '../parts/table.tsx';
import { useInsight } from '../state/insight.ts';
import { ownCompany } from '../state/viewer.ts';
import { bytes, count, plural, short } from '../text/format.ts';
import { CompanyJobs } from './company-jobs.tsx';

type Day = InsightRow<'batches-per-day'>;
type Month = InsightRow<'submissions-by-month'>;
type Quarter = InsightRow<'submissions-by-quarter'>;
type Least = InsightRow<'least-active'>;
type Frequency = InsightRow<'submission-frequency'>;
type Idle = InsightRow<'idle'>;

export function Jobs({ detail }: { readonly detail: string | undefined }) {
  const own = ownCompany();
  if (own !== undefined) return <CompanyJobs companyID={own} isOwn />;
  // A company of its own each: what was chosen for one is not chosen for the next.
  return detail === undefined ? <All /> : <CompanyJobs key={detail} companyID={detail} />;
}

function All() {
  const overview = useInsight('overview');
  const days = useInsight('batches-per-day', { days: 90 });
  const totals = overview.answer?.totals;
  return (
    <>
      <Head title="Jobs">
        <CompanyChooser />
      </Head>
      <Stats
        label="Jobs of all companies"
        insight={overview}
        stats={[
          { name: 'Jobs today', value: totals && count(totals.jobsToday) },
          { name: 'Batches today', value: totals && count(totals.batchesToday) },
          {
            name: 'Companies active today',
            value: totals && count(totals.activeToday),
            note: totals && `of ${count(totals.tenants)}`,
          },
          { name: 'Jobs, 30 days', value: totals && count(totals.job30) },
          { name: 'Jobs, 90 days', value: totals && count(totals.job90) },
        ]}
      />
      <Figure
        title="Batches and jobs per day"
        note="All companies, UTC days. A batch is one job event."
        insight={days}
        columns={DAY_COLUMNS}
        file="batches-per-day"
        empty="No job in the last 90 days."
        hasMarks={(row) => row.batches > 0}
        draw={DAYS}
        label="Columns of batches and of jobs per day over 90 days. The table has the numbers."
        height={280}
        wide
      />
      <div class="grid two">
        <Periods />
        <LeastActive />
        <Frequencies />
        <IdleCompanies />
      </div>
    </>
  );
}

function Periods() {
  const [by, setBy] = useState<'month' | 'quarter'>('month');
  const months = useInsight('submissions-by-month');
  const quarters = useInsight('submissions-by-quarter');
  const tools = (
    <Segments
      label="Submissions by"
      value={by}
      onChoose={setBy}
      options={[
        ['month', 'Month'],
        ['quarter', 'Quarter'],
      ]}
    />
  );
  const common = { height: 280, title: `Submissions by ${by}`, empty: 'No job yet.', tools };
  const note = 'Jobs of all companies. The current period, paler, is not over.';
  return by === 'month' ? (
    <Figure
      key={by}
      {...common}
      note={note}
      insight={months}
      columns={MONTH_COLUMNS}
      file="submissions-by-month"
      draw={MONTHS}
      label="Columns of jobs by month. The table has the numbers."
    />
  ) : (
    <Figure
      key={by}
      {...common}
      note={note}
      insight={quarters}
      columns={QUARTER_COLUMNS}
      file="submissions-by-quarter"
      draw={QUARTERS}
      label="Columns of jobs by quarter. The table has the numbers."
    />
  );
}

function LeastActive() {
  const [by, setBy] = useState<'job30' | 'job90'>('job30');
  const least = useInsight('least-active', { by, limit: 10 });
  return (
    <Figure
      title="Fewest jobs"
      note={
        least.answer &&
        `The lowest ${count(least.answer.rows.length)} of ${plural(least.answer.totals.companies, 'company', 'companies')}, by jobs in ${by === 'job30' ? 30 : 90} days.`
      }
      insight={least}
      columns={LEAST_COLUMNS}
      file={`fewest-jobs-${by}`}
      empty="No companies yet."
      page={10}
      tools={
        <Segments
          label="Fewest jobs in"
          value={by}
          onChoose={setBy}
          options={[
            ['job30', '30 days'],
            ['job90', '90 days'],
          ]}
        />
      }
    />
  );
}

function Frequencies() {
  const frequency = useInsight('submission-frequency', { days: 30, limit: 1000 });
  const totals = frequency.answer?.totals;
  return (
    <Figure
      title="Who submits how often"
      note={
        totals &&
        `Last 30 days: ${plural(totals.active, 'company', 'companies')} submitted, ${count(totals.inactive)} did not.`
      }
      insight={frequency}
      columns={FREQUENCY_COLUMNS}
      file="submission-frequency"
      empty="No company submitted a job in the last 30 days."
      page={10}
    />
  );
}

function IdleCompanies() {
  const idle = useInsight('idle', { limit: 1000 });
  const totals = idle.answer?.totals;
  return (
    <Figure
      title="Idle since"
      note={
        totals &&
        `Longest idle first${totals.neverSubmitted === 0 ? '' : `; of ${count(totals.neverSubmitted)} no job is known`}.`
      }
      insight={idle}
      columns={IDLE_COLUMNS}
      file="idle-companies"
      empty="No companies yet."
      page={10}
    />
  );
}

const DAYS = columns<Day>({
  name: (row) => row.day,
  strips: [
    {
      title: 'Batches',
      kind: 'bar',
      value: (row) => row.batches,
      format: short,
      colour: (_, colours) => colours.accent,
    },
    { title: 'Jobs', kind: 'bar', value: (row) => row.jobs, format: short, colour: (_, colours) => colours.second },
  ],
  tip: (row) => [
    ['Batches', count(row.batches)],
    ['Jobs', count(row.jobs)],
    ['Data', bytes(row.dataSize)],
    ['Companies', count(row.companies)],
  ],
});

function volumeColumns<Row extends Omit<Day, 'day'>>(): readonly Column<Row>[] {
  return [
    numberColumn('Jobs', (row) => row.jobs),
    numberColumn('Batches', (row) => row.batches),
    { name: 'Data (bytes)', value: (row) => row.dataSize, show: (row) => bytes(row.dataSize) },
    numberColumn('Companies', (row) => row.companies),
  ];
}

const DAY_COLUMNS: readonly Column<Day>[] = [
  { name: 'Day (UTC)', value: (row) => row.day, heads: true },
  ...volumeColumns<Day>(),
];

function periods<Row extends Month | Quarter>(name: (row: Row) => string) {
  return columns<Row>({
    name,
    strips: [
      {
        title: 'Jobs',
        kind: 'bar',
        value: (row) => row.jobs,
        format: short,
        colour: (row, colours) => (row.isOver ? colours.accent : colours.muted),
      },
    ],
    tip: (row) => [
      ['Jobs', count(row.jobs)],
      ['Batches', count(row.batches)],
      ['Data', bytes(row.dataSize)],
      ['Companies', count(row.companies)],
    ],
  });
}

const MONTHS = periods<Month>((row) => row.month);
const QUARTERS = periods<Quarter>((row) => row.quarter);
const MONTH_COLUMNS: readonly Column<Month>[] = [
  { name: 'Month', value: (row) => row.month, heads: true },
  ...volumeColumns<Month>(),
];
const QUARTER_COLUMNS: readonly Column<Quarter>[] = [
  { name: 'Quarter', value: (row) => row.quarter, heads: true },
  ...volumeColumns<Quarter>(),
];

const LEAST_COLUMNS: readonly Column<Least>[] = [
  companyColumn(),
  numberColumn('Rank', (row) => row.rank),
  industryColumn(),
  numberColumn('Jobs 30 d', (row) => row.job30),
  numberColumn('Jobs 90 d', (row) => row.job90),
  lastJobColumn(),
];

const FREQUENCY_COLUMNS: readonly Column<Frequency>[] = [
  companyColumn(),
  industryColumn(),
  numberColumn('Active days', (row) => row.activeDays),
  numberColumn('Batches a day', (row) => row.batchesPerDay),
  numberColumn('Batches', (row) => row.batches),
  numberColumn('Jobs', (row) => row.jobs),
];

const IDLE_COLUMNS: readonly Column<Idle>[] = [
  companyColumn(),
  industryColumn(),
  lastJobColumn(),
  numberColumn('Idle days', (row) => row.idleDays),
  numberColumn('Jobs 90 d', (row) => row.job90),
  numberColumn('Monthly fee', (row) => row.monthlyFee),
];
