import type { AlertsAnswer } from '../../../src/services/dashboard/insights-schema.ts';
import { useInsight } from '../state/insight.ts';
import { count, moment, NOTHING, percent, plural } from '../text/format.ts';
import { companyColumn, numberColumn } from './cells.tsx';
import { Figure } from './figure.tsx';
import type { Column } from './table.tsx';
import { Turn } from './turn.tsx';

type Told = AlertsAnswer['rows'][number];

/** What waits is sent, or fails, without a row that comes. */
const AGAIN_MS = 5000;

/** What was told of tenants, to whom, and what waits. */
export function Alerts() {
  const alerts = useInsight('alerts', {}, true, AGAIN_MS);
  const { answer } = alerts;
  return (
    <Figure
      title="Alerts"
      note={answer && noteOf(answer)}
      insight={alerts}
      columns={COLUMNS}
      file="alerts"
      empty={answer === undefined ? '' : emptyOf(answer)}
      page={10}
      wide
    />
  );
}

function noteOf({ totals, targets }: AlertsAnswer): string {
  const { sent, waiting, refused, held, merged, quietHours } = totals;
  const names = targets.map(({ name }) => name).join(', ');
  const parts = [
    `${count(sent)} sent`,
    waiting > 0 ? `${count(waiting)} on their way` : '',
    refused > 0 ? `${count(refused)} refused` : '',
    held > 0 ? `${count(held)} held` : '',
    merged > 0 ? `${plural(merged, 'change')} merged` : '',
  ];
  const ill = targets.filter(({ problem }) => problem !== '').map(({ name, problem }) => `${name}: ${problem}.`);
  return [
    `To ${names}: ${parts.filter((part) => part !== '').join(', ')}.`,
    ...ill,
    `After an alert, a tenant is quiet for ${plural(quietHours, 'hour')}.`,
  ].join(' ');
}

function emptyOf({ totals, targets }: AlertsAnswer): string {
  if (!totals.isOn) {
    return 'No alerts are sent. Start the dashboard with --alert-url to be told of tenants that turn at-risk, recover or go silent.';
  }
  return `Nothing had to be told since ${moment(totals.since)} UTC. The next one goes to ${targets.map(({ name }) => name).join(', ')}.`;
}

const STATES: Readonly<Record<Told['state'], { readonly text: string; readonly kind: string }>> = {
  held: { text: 'held by the quiet period', kind: 'badge' },
  waiting: { text: 'on its way', kind: 'badge' },
  sent: { text: 'sent', kind: 'badge good' },
  refused: { text: 'refused', kind: 'badge bad' },
};

const COLUMNS: readonly Column<Told>[] = [
  companyColumn(),
  {
    name: 'Change',
    value: (row) => row.change,
    show: (row) => (row.change === 'silent' ? <span class="badge">went silent</span> : <Turn change={row.change} />),
  },
  {
    name: 'State',
    value: (row) => row.state,
    show: (row) => (
      <>
        <span class={STATES[row.state].kind}>{STATES[row.state].text}</span>
        {row.problem !== '' && <span class="note"> {row.problem}</span>}
      </>
    ),
  },
  { name: 'To', value: (row) => row.target, show: (row) => (row.target === '' ? NOTHING : row.target) },
  {
    name: 'Raised (UTC)',
    value: (row) => row.raisedAt,
    show: (row) => (row.state === 'held' ? `not before ${moment(row.raisedAt)}` : moment(row.raisedAt)),
  },
  { name: 'Settled (UTC)', value: (row) => row.settledAt, show: (row) => moment(row.settledAt) },
  numberColumn('Attempts', (row) => row.attempts),
  {
    name: 'Reasons',
    value: (row) => row.reasons.join('; '),
    show: (row) => <span class="words">{row.reasons.join('; ')}</span>,
  },
  { name: 'Probability', value: (row) => row.churnProbability, show: (row) => percent(row.churnProbability) },
  numberColumn('Monthly fee', (row) => row.monthlyFee),
  { name: 'Version', value: (row) => row.version, show: (row) => String(row.version) },
];
