import type { InsightRow } from '../../../src/services/dashboard/insights-schema.ts';
import { bars, heightOfBars } from '../charts/bars.ts';
import { columns } from '../charts/columns.ts';
import { Alerts } from '../parts/alerts.tsx';
import {
  companyColumn,
  industryColumn,
  lastJobColumn,
  nameOf,
  numberColumn,
  probabilityColumn,
  Risk,
  shareColumn,
} from '../parts/cells.tsx';
import { Figure } from '../parts/figure.tsx';
import { Head } from '../parts/head.tsx';
import { Stats } from '../parts/stats.tsx';
import type { Column } from '../parts/table.tsx';
import { Turn } from '../parts/turn.tsx';
import { useInsight } from '../state/insight.ts';
import { go } from '../state/route.ts';
import { clock, count, percent, plural, short } from '../text/format.ts';

type Tenant = InsightRow<'churn-risk'>;
type Day = InsightRow<'risk-trend'>;
type Industry = InsightRow<'revenue-at-risk'>;
type Change = InsightRow<'risk-changes'>;
type Silent = InsightRow<'silent'>;
type Scoring = InsightRow<'scoring'>;

const SILENT_DAYS = 7;

export function RiskView() {
  const overview = useInsight('overview', { silentDays: SILENT_DAYS });
  const scoring = useInsight('scoring');
  const totals = overview.answer?.totals;
  const share = scoring.answer?.totals.unscoredShare;
  return (
    <>
      <Head title="Risk" />
      <Stats
        label="Tenants at risk"
        insight={overview}
        stats={[
          {
            name: 'At risk',
            value: totals && count(totals.atRisk),
            note: totals && `of ${count(totals.tenants)}`,
            warns: (totals?.atRisk ?? 0) > 0,
          },
          {
            name: 'Monthly fees at risk',
            value: totals && count(totals.monthlyFeeAtRisk),
            note: totals && totals.monthlyFee > 0 && `${percent(totals.monthlyFeeAtRisk / totals.monthlyFee)} of all`,
          },
          { name: 'Turned at-risk today', value: totals && count(totals.turnedAtRiskToday) },
          { name: 'Recovered today', value: totals && count(totals.recoveredToday) },
          { name: `Silent ${SILENT_DAYS} days`, value: totals && count(totals.silent) },
          {
            name: 'Unscored',
            value: totals && count(totals.unscored),
            note: share !== undefined && `${percent(share)} of tenants`,
          },
        ]}
      />
      <Tenants />
      <Alerts />
      <div class="grid two">
        <Trend />
        <Revenue />
        <Changes />
        <SilentTenants />
        <Figure
          title="With and without a score"
          note="Unavailable: the scoring service did not answer for the newest row. Off: it is not asked."
          insight={scoring}
          columns={SCORING_COLUMNS}
          file="scoring"
          empty="No companies yet."
        />
      </div>
    </>
  );
}

function Tenants() {
  const tenants = useInsight('churn-risk', { limit: 1000 });
  const totals = tenants.answer?.totals;
  return (
    <Figure
      title="Tenants by churn probability"
      note={
        totals &&
        `${plural(totals.scored, 'tenant')} with a score, ${count(totals.atRisk)} at risk. Reasons: what raises the score most.`
      }
      insight={tenants}
      columns={TENANT_COLUMNS}
      file="churn-risk"
      empty="No tenant has a score yet. Scores show up when the scoring service answers for a row."
      page={12}
      wide
    />
  );
}

function Trend() {
  const trend = useInsight('risk-trend', { days: 90 });
  const totals = trend.answer?.totals;
  return (
    <Figure
      title="Trend of the score"
      note={totals && `90 days; ${count(totals.turnedAtRisk)} turned at-risk, ${count(totals.recovered)} recovered.`}
      insight={trend}
      columns={TREND_COLUMNS}
      file="risk-trend"
      empty="No tenant was scored in the last 90 days."
      hasMarks={(row) => row.scored > 0}
      draw={TREND}
      label="Line of the mean churn probability, and columns of the tenants at risk, per day. The table has the numbers."
      height={260}
    />
  );
}

function Revenue() {
  const revenue = useInsight('revenue-at-risk');
  const totals = revenue.answer?.totals;
  return (
    <Figure
      title="Revenue at risk by industry"
      note={
        totals &&
        `Monthly fees of tenants at risk: ${count(totals.monthlyFeeAtRisk)} of ${count(totals.monthlyFee)} (${percent(totals.shareAtRisk)}). Pale: all fees.`
      }
      insight={revenue}
      columns={REVENUE_COLUMNS}
      file="revenue-at-risk"
      empty="No companies yet."
      draw={REVENUE}
      label="Bars of monthly fees at risk by industry. The table has the numbers."
      height={heightOfBars(revenue.answer?.rows.length ?? 9)}
      onPick={(industry) => go('customers', industry)}
    />
  );
}

function Changes() {
  const changes = useInsight('risk-changes', { days: 1, limit: 1000 });
  const totals = changes.answer?.totals;
  return (
    <Figure
      title="Changed today"
      note={
        totals && `Since 00:00 UTC: ${count(totals.turnedAtRisk)} turned at-risk, ${count(totals.recovered)} recovered.`
      }
      insight={changes}
      columns={CHANGE_COLUMNS}
      file="risk-changes-today"
      empty="No tenant turned at-risk or recovered today."
      page={10}
    />
  );
}

function SilentTenants() {
  const silent = useInsight('silent', { days: SILENT_DAYS, limit: 1000 });
  const totals = silent.answer?.totals;
  return (
    <Figure
      title="Gone silent"
      note={
        totals &&
        `No job for ${SILENT_DAYS} days: ${plural(totals.silent, 'tenant')} with ${count(totals.monthlyFee)} in monthly fees.`
      }
      insight={silent}
      columns={SILENT_COLUMNS}
      file="silent"
      tall
      empty={`Every tenant submitted a job in the last ${SILENT_DAYS} days.`}
      page={10}
    />
  );
}

const TENANT_COLUMNS: readonly Column<Tenant>[] = [
  companyColumn(),
  probabilityColumn(),
  {
    name: 'At risk',
    value: (row) => (row.riskOfChurn ? 'yes' : 'no'),
    show: (row) => <Risk value={row.riskOfChurn} />,
  },
  {
    name: 'Reasons',
    value: (row) => row.reasons.join('; '),
    show: (row) => (
      <ul class="reasons words">
        {row.reasons.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
      </ul>
    ),
  },
  industryColumn(),
  numberColumn('Monthly fee', (row) => row.monthlyFee),
  numberColumn('Jobs 30 d', (row) => row.job30),
  numberColumn('Jobs 90 d', (row) => row.job90),
  lastJobColumn(),
];

const TREND = columns<Day>({
  name: (row) => row.day,
  strips: [
    {
      title: 'Mean probability',
      kind: 'line',
      value: (row) => row.meanProbability,
      format: percent,
      colour: (_, colours) => colours.accent,
    },
    {
      title: 'At risk, of those scored that day',
      kind: 'bar',
      value: (row) => row.atRisk,
      format: short,
      colour: (_, colours) => colours.danger,
    },
  ],
  tip: (row) => [
    ['Mean probability', percent(row.meanProbability)],
    ['At risk', `${count(row.atRisk)} of ${count(row.scored)} scored`],
    ['Turned at-risk', count(row.turnedAtRisk)],
    ['Recovered', count(row.recovered)],
  ],
});

const TREND_COLUMNS: readonly Column<Day>[] = [
  { name: 'Day (UTC)', value: (row) => row.day, heads: true },
  numberColumn('Scored', (row) => row.scored),
  numberColumn('At risk', (row) => row.atRisk),
  shareColumn('Mean probability', (row) => row.meanProbability),
  numberColumn('Turned at-risk', (row) => row.turnedAtRisk),
  numberColumn('Recovered', (row) => row.recovered),
];

const REVENUE = bars<Industry>({
  name: (row) => row.industry,
  value: (row) => row.monthlyFeeAtRisk,
  of: (row) => row.monthlyFee,
  format: (each) => (each < 10_000 ? count(each) : short(each)),
  colour: (_, colours) => colours.danger,
  tip: (row) => [
    ['Fees at risk', `${count(row.monthlyFeeAtRisk)} (${percent(row.shareAtRisk)})`],
    ['All fees', count(row.monthlyFee)],
    ['Tenants at risk', `${count(row.atRisk)} of ${count(row.tenants)}`],
  ],
});

const REVENUE_COLUMNS: readonly Column<Industry>[] = [
  { ...industryColumn<Industry>(), heads: true },
  numberColumn('Fees at risk', (row) => row.monthlyFeeAtRisk),
  numberColumn('All fees', (row) => row.monthlyFee),
  shareColumn('Share at risk', (row) => row.shareAtRisk),
  numberColumn('Tenants at risk', (row) => row.atRisk),
  numberColumn('Tenants', (row) => row.tenants),
];

const CHANGE_COLUMNS: readonly Column<Change>[] = [
  companyColumn(),
  { name: 'At (UTC)', value: (row) => row.at, show: (row) => clock(row.at) },
  {
    name: 'Change',
    value: (row) => row.change,
    show: (row) => <Turn change={row.change} />,
  },
  { name: 'Probability', value: (row) => row.churnProbability, show: (row) => percent(row.churnProbability) },
  { name: 'Industry', value: (row) => row.industry, show: (row) => nameOf(row.industry) },
  numberColumn('Monthly fee', (row) => row.monthlyFee),
];

const SILENT_COLUMNS: readonly Column<Silent>[] = [
  companyColumn(),
  numberColumn('Silent days', (row) => row.silentDays),
  lastJobColumn(),
  { name: 'Probability', value: (row) => row.churnProbability, show: (row) => percent(row.churnProbability) },
  industryColumn(),
  numberColumn('Jobs 90 d', (row) => row.job90),
  numberColumn('Monthly fee', (row) => row.monthlyFee),
];

const SCORING_COLUMNS: readonly Column<Scoring>[] = [
  { name: 'Score', value: (row) => row.scoreStatus, heads: true },
  numberColumn('Tenants', (row) => row.tenants),
  shareColumn('Share', (row) => row.share),
];
