import { useState } from 'preact/hooks';
import type { InsightRow } from '../../../src/services/dashboard/insights-schema.ts';
import { bars, heightOfBars } from '../charts/bars.ts';
import { columns } from '../charts/columns.ts';
import { companyColumn, nameOf, numberColumn, Risk } from '../parts/cells.tsx';
import { CompanyChooser } from '../parts/company-chooser.tsx';
import { Figure } from '../parts/figure.tsx';
import { Head } from '../parts/head.tsx';
import { Segments } from '../parts/segments.tsx';
import { Stats } from '../parts/stats.tsx';
import type { Column } from '../parts/table.tsx';
import { useInsight } from '../state/insight.ts';
import { go, link } from '../state/route.ts';
import { bytes, count, percent, short } from '../text/format.ts';

type Day = InsightRow<'company-jobs'>;
type Peer = InsightRow<'company-peers'>;
type Score = InsightRow<'company-score'>;
type User = InsightRow<'company-users'>;

const PEERS = 20;

interface CompanyJobsProps {
  readonly companyID: string;
  /** Who looks belongs to it, and sees no other. */
  readonly isOwn?: boolean;
}

/** One company: its days, its place in its industry, its score, its users. */
export function CompanyJobs({ companyID, isOwn = false }: CompanyJobsProps) {
  const jobs = useInsight('company-jobs', { companyID, days: 90 });
  const peers = useInsight('company-peers', { companyID, limit: PEERS }, !isOwn);
  const score = useInsight('company-score', { companyID, days: 90 });
  const users = useInsight('company-users', { companyID, days: 30, limit: 1000 });
  if (jobs.answer === undefined && jobs.failure?.status === 404)
    return <NotKnown companyID={companyID} isOwn={isOwn} />;
  const totals = jobs.answer?.totals;
  const ranks = peers.answer?.totals;
  const scored = score.answer?.totals;
  const active = users.answer?.totals;
  return (
    <>
      <CompanyHead companyID={companyID} isOwn={isOwn} />
      <Stats
        label={`Company ${companyID}`}
        insight={jobs}
        stats={[
          {
            name: 'Industry',
            value: totals && nameOf(totals.industry),
            note: totals && !isOwn && <a href={link('customers', totals.industry)}>its companies</a>,
          },
          {
            name: 'Jobs, 30 days',
            value: totals && count(totals.job30),
            note: ranks && `rank ${count(ranks.rank30)} of ${count(ranks.companies)}`,
          },
          {
            name: 'Jobs, 90 days',
            value: totals && count(totals.job90),
            note: ranks && `rank ${count(ranks.rank90)} of ${count(ranks.companies)}`,
          },
          { name: 'Data, 90 days', value: totals && bytes(totals.dataSize) },
          {
            name: 'Active users, 30 days',
            value: active && `${active.isAtLeast ? '≥ ' : ''}${count(active.activeUsers)}`,
          },
          {
            name: 'Churn probability',
            value: scored && percent(scored.churnProbability),
            note: scored && <Risk value={scored.riskOfChurn} />,
            warns: scored?.riskOfChurn === true,
          },
        ]}
      />
      <Figure
        title="Jobs and data per day"
        note="UTC days, the last 90."
        insight={jobs}
        columns={DAY_COLUMNS}
        file={`jobs-per-day-${companyID}`}
        empty="No job of this company in the last 90 days."
        hasMarks={(row) => row.batches > 0}
        draw={DAYS}
        label={`Columns of jobs and of data size per day of ${companyID}. The table has the numbers.`}
        height={300}
        wide
      />
      <div class="grid two">
        {!isOwn && <Peers companyID={companyID} insight={peers} />}
        <Figure
          title="Churn probability"
          note="The last score of each day with one."
          insight={score}
          columns={SCORE_COLUMNS}
          file={`score-${companyID}`}
          empty="This company has no score in the last 90 days."
          draw={SCORES}
          label={`Line of the churn probability of ${companyID}. The table has the numbers.`}
        />
        <Figure
          title="Active users"
          note="Of the last 30 days, most recently active first; jobs since the user is known."
          insight={users}
          columns={USER_COLUMNS}
          file={`users-${companyID}`}
          empty="No user submitted a job in the last 30 days."
          page={10}
        />
      </div>
    </>
  );
}

function CompanyHead({ companyID, isOwn }: Required<CompanyJobsProps>) {
  if (isOwn) return <Head title={companyID} />;
  return (
    <Head title={companyID} back={{ href: link('jobs'), name: 'Jobs' }}>
      <CompanyChooser />
    </Head>
  );
}

function NotKnown({ companyID, isOwn }: Required<CompanyJobsProps>) {
  return (
    <>
      <CompanyHead companyID={companyID} isOwn={isOwn} />
      <section class="figure" aria-label="Not known">
        <div class="placeholder tall">
          <p role="alert">
            <strong>No row of company {companyID} is known.</strong>
            <br />
            It shows up here with its first enriched company.{!isOwn && ' Choose another one above.'}
          </p>
        </div>
      </section>
    </>
  );
}

function Peers({
  companyID,
  insight,
}: {
  readonly companyID: string;
  readonly insight: ReturnType<typeof useInsight<'company-peers'>>;
}) {
  const [by, setBy] = useState<'job30' | 'job90'>('job90');
  const totals = insight.answer?.totals;
  const median = by === 'job30' ? totals?.othersMedian30 : totals?.othersMedian90;
  return (
    <Figure
      title={totals === undefined ? 'Against its industry' : `Against others in ${nameOf(totals.industry)}`}
      note={
        totals &&
        `${companyID}: ${count(totals[by])} jobs in ${by === 'job30' ? 30 : 90} days; median of the others ${count(median)}.`
      }
      insight={insight}
      columns={PEER_COLUMNS}
      file={`peers-${companyID}`}
      empty="This company is not known."
      tall
      draw={by === 'job30' ? PEERS_30 : PEERS_90}
      label={`Bars of jobs of the companies of its industry; ${companyID} stands out. The table has the numbers.`}
      height={heightOfBars(insight.answer?.rows.length ?? PEERS)}
      onPick={(other) => go('jobs', other)}
      page={PEERS}
      tools={
        <Segments
          label="Jobs in"
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

const DAYS = columns<Day>({
  name: (row) => row.day,
  strips: [
    { title: 'Jobs', kind: 'bar', value: (row) => row.jobs, format: short, colour: (_, colours) => colours.accent },
    { title: 'Data', kind: 'bar', value: (row) => row.dataSize, format: bytes, colour: (_, colours) => colours.second },
  ],
  tip: (row) => [
    ['Jobs', count(row.jobs)],
    ['Batches', count(row.batches)],
    ['Data', bytes(row.dataSize)],
  ],
});

const DAY_COLUMNS: readonly Column<Day>[] = [
  { name: 'Day (UTC)', value: (row) => row.day, heads: true },
  numberColumn('Jobs', (row) => row.jobs),
  numberColumn('Batches', (row) => row.batches),
  { name: 'Data (bytes)', value: (row) => row.dataSize, show: (row) => bytes(row.dataSize) },
];

function peerBars(by: 'job30' | 'job90') {
  return bars<Peer>({
    name: (row) => row.companyID,
    value: (row) => row[by],
    format: count,
    colour: (row, colours) => (row.isChosen ? colours.accent : colours.muted),
    tip: (row) => [
      ['Jobs in 30 days', `${count(row.job30)} (rank ${count(row.rank30)})`],
      ['Jobs in 90 days', `${count(row.job90)} (rank ${count(row.rank90)})`],
    ],
  });
}

const PEERS_30 = peerBars('job30');
const PEERS_90 = peerBars('job90');
const PEER_COLUMNS: readonly Column<Peer>[] = [
  companyColumn(),
  numberColumn('Jobs 30 d', (row) => row.job30),
  numberColumn('Rank 30 d', (row) => row.rank30),
  numberColumn('Jobs 90 d', (row) => row.job90),
  numberColumn('Rank 90 d', (row) => row.rank90),
];

const SCORES = columns<Score>({
  name: (row) => row.day,
  strips: [
    {
      title: 'Probability',
      kind: 'line',
      value: (row) => row.churnProbability,
      format: percent,
      colour: (_, colours) => colours.danger,
      max: 1,
    },
  ],
  tip: (row) => [
    ['Churn probability', percent(row.churnProbability)],
    ['At risk', row.riskOfChurn ? 'yes' : 'no'],
  ],
});

const SCORE_COLUMNS: readonly Column<Score>[] = [
  { name: 'Day (UTC)', value: (row) => row.day, heads: true },
  { name: 'Churn probability', value: (row) => row.churnProbability, show: (row) => percent(row.churnProbability) },
  { name: 'At risk', value: (row) => (row.riskOfChurn ? 'yes' : 'no') },
];

const USER_COLUMNS: readonly Column<User>[] = [
  { name: 'User', value: (row) => row.userID, heads: true },
  { name: 'Last day', value: (row) => row.lastDay },
  { name: 'First day', value: (row) => row.firstDay },
  numberColumn('Batches', (row) => row.batches),
  numberColumn('Jobs', (row) => row.jobs),
];
