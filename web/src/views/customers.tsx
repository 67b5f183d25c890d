import type { InsightRow } from '../../../src/services/dashboard/insights-schema.ts';
import { bars, heightOfBars } from '../charts/bars.ts';
import { donut } from '../charts/donut.ts';
import { categoryAt } from '../charts/palette.ts';
import {
  companyColumn,
  industryColumn,
  nameOf,
  numberColumn,
  probabilityColumn,
  shareColumn,
} from '../parts/cells.tsx';
import { Figure } from '../parts/figure.tsx';
import { Head } from '../parts/head.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { Stats } from '../parts/stats.tsx';
import type { Column } from '../parts/table.tsx';
import { type Insight, useInsight } from '../state/insight.ts';
import { go, link } from '../state/route.ts';
import { count, percent, plural, short } from '../text/format.ts';

type Industry = InsightRow<'customers-by-industry'>;
type Company = InsightRow<'companies'>;

const IN_CHART = 12;
const IN_TABLE = 1000;

/** All customers, or those of one industry. */
export function Customers({ detail }: { readonly detail: string | undefined }) {
  const industries = useInsight('customers-by-industry');
  return detail === undefined ? <All industries={industries} /> : <One industry={detail} industries={industries} />;
}

function All({ industries }: { readonly industries: Insight<'customers-by-industry'> }) {
  const totals = industries.answer?.totals;
  return (
    <>
      <Head title="Customers" />
      <Stats
        label="All customers"
        insight={industries}
        stats={[
          {
            name: 'Tenants',
            value: totals && count(totals.tenants),
            note: totals && plural(totals.industries, 'industry', 'industries'),
          },
          { name: 'Jobs, 90 days', value: totals && count(totals.job90) },
          { name: 'Monthly fees', value: totals && count(totals.monthlyFee) },
          { name: 'Total fees so far', value: totals && count(totals.totalFee) },
        ]}
      />
      <Figure
        title="Tenants by industry"
        note="Size of a slice: jobs in 90 days. Choose an industry to see its companies."
        insight={industries}
        columns={INDUSTRY_COLUMNS}
        file="tenants-by-industry"
        empty="No company has sent a job yet. Industries show up with the first enriched company."
        draw={INDUSTRIES}
        label={`Donut of jobs in 90 days by industry; ${largest(industries.answer?.rows)}. The list beside it has the numbers.`}
        onPick={(industry) => go('customers', industry)}
        height={250}
        beside={<Legend rows={industries.answer?.rows ?? []} />}
        wide
      />
      {totals?.tenants !== 0 && <Companies industry={undefined} />}
    </>
  );
}

function One({
  industry,
  industries,
}: {
  readonly industry: string;
  readonly industries: Insight<'customers-by-industry'>;
}) {
  const row = industries.answer?.rows.find((each) => each.industry.toLowerCase() === industry.toLowerCase());
  return (
    <>
      <Head title={nameOf(row?.industry ?? industry)} back={{ href: link('customers'), name: 'Customers' }} />
      <Stats
        label={`Customers in ${nameOf(industry)}`}
        insight={industries}
        stats={[
          { name: 'Tenants', value: row && count(row.tenants), note: row && `${percent(row.tenantShare)} of all` },
          { name: 'Jobs, 90 days', value: row && count(row.job90), note: row && `${percent(row.job90Share)} of all` },
          {
            name: 'Monthly fees',
            value: row && count(row.monthlyFee),
            note: row && `${count(row.meanMonthlyFee)} each`,
          },
          { name: 'Total fees so far', value: row && count(row.totalFee) },
          {
            name: 'At risk',
            value: row && count(row.atRisk),
            note: row && `${count(row.unscored)} unscored`,
            warns: (row?.atRisk ?? 0) > 0,
          },
        ]}
      />
      <Companies industry={industry} />
    </>
  );
}

function Companies({ industry }: { readonly industry: string | undefined }) {
  const all = useInsight('companies', { industry, limit: IN_TABLE, sort: 'companyID' });
  const total = all.answer?.totals.companies ?? 0;
  const left = total > IN_TABLE ? ` The first ${count(IN_TABLE)}; choose an industry to see all of its companies.` : '';
  return (
    <>
      <div class="grid four">
        {MEASURES.map((measure) => (
          <Highest key={measure.sort} measure={measure} industry={industry} />
        ))}
      </div>
      <Figure
        title={industry === undefined ? 'All companies' : `Companies in ${nameOf(industry)}`}
        note={all.answer && `${plural(total, 'company', 'companies')}.${left}`}
        insight={all}
        columns={COMPANY_COLUMNS}
        file={industry === undefined ? 'companies' : `companies-${industry}`}
        empty={industry === undefined ? 'No companies yet.' : `No company of the industry “${industry}” is known.`}
        wide
      />
    </>
  );
}

function Highest({
  measure,
  industry,
}: {
  readonly measure: (typeof MEASURES)[number];
  readonly industry: string | undefined;
}) {
  const { sort, title, columns, draw } = measure;
  const highest = useInsight('companies', { industry, sort, order: 'desc', limit: IN_CHART });
  const { answer } = highest;
  return (
    <Figure
      title={title}
      note={
        answer &&
        `Highest ${count(answer.rows.length)} of ${count(answer.totals.companies)}. All: ${count(answer.totals[sort])}.`
      }
      insight={highest}
      columns={columns}
      file={`${sort}-highest`}
      empty="No companies yet."
      draw={draw}
      label={`Bars: ${title.toLowerCase()}, the highest ${answer?.rows.length ?? 0}. The table has the numbers.`}
      onPick={(companyID) => go('jobs', companyID)}
      height={heightOfBars(answer?.rows.length ?? IN_CHART)}
      page={IN_CHART}
    />
  );
}

function Legend({ rows }: { readonly rows: readonly Industry[] }) {
  return (
    <Scroll label="Industries">
      <table class="legend">
        <caption class="hidden">Industries</caption>
        <thead>
          <tr>
            {['Industry', 'Tenants', 'Share', 'Jobs 90 d', 'Share', 'Monthly fees'].map((name, at) => (
              <th key={`${name}${at === 2 ? ' of tenants' : ''}`} scope="col" class={at > 0 ? 'number note' : 'note'}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.industry}>
              <th scope="row">
                <span class={`swatch swatch-${categoryAt(placeOf(row, rows))}`} />
                <a href={link('customers', row.industry)}>{nameOf(row.industry)}</a>
              </th>
              <td class="number">{count(row.tenants)}</td>
              <td class="number">{percent(row.tenantShare)}</td>
              <td class="number">{count(row.job90)}</td>
              <td class="number">{percent(row.job90Share)}</td>
              <td class="number">{count(row.monthlyFee)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function largest(rows: readonly Industry[] = []): string {
  const first = [...rows].sort((one, other) => other.job90 - one.job90)[0];
  return first === undefined
    ? 'nothing yet'
    : `the largest is ${nameOf(first.industry)} with ${percent(first.job90Share)}`;
}

/** An industry keeps its colour however the ranking changes: by its place in the alphabet. */
function placeOf(row: Industry, rows: readonly Industry[]): number {
  return rows.filter((other) => other.industry < row.industry).length;
}

const INDUSTRIES = donut<Industry>({
  name: (row) => row.industry,
  value: (row) => row.job90,
  tip: (row) => [
    ['Jobs in 90 days', `${count(row.job90)} (${percent(row.job90Share)})`],
    ['Tenants', `${count(row.tenants)} (${percent(row.tenantShare)})`],
    ['Monthly fees', count(row.monthlyFee)],
  ],
  category: placeOf,
});

const INDUSTRY_COLUMNS: readonly Column<Industry>[] = [
  { ...industryColumn<Industry>(), heads: true },
  numberColumn('Tenants', (row) => row.tenants),
  shareColumn('Share of tenants', (row) => row.tenantShare),
  numberColumn('Jobs 30 d', (row) => row.job30),
  numberColumn('Jobs 90 d', (row) => row.job90),
  shareColumn('Share of jobs 90 d', (row) => row.job90Share),
  numberColumn('Monthly fees', (row) => row.monthlyFee),
  numberColumn('Mean monthly fee', (row) => row.meanMonthlyFee),
  numberColumn('Revenue', (row) => row.revenue),
  numberColumn('Employees', (row) => row.employees),
  numberColumn('Total fees', (row) => row.totalFee),
  numberColumn('At risk', (row) => row.atRisk),
  numberColumn('Unscored', (row) => row.unscored),
];

const COMPANY_COLUMNS: readonly Column<Company>[] = [
  companyColumn(),
  industryColumn(),
  numberColumn('Monthly fee', (row) => row.monthlyFee),
  numberColumn('Total fee', (row) => row.totalFee),
  numberColumn('Revenue', (row) => row.revenue),
  numberColumn('Employees', (row) => row.employees),
  numberColumn('Jobs 30 d', (row) => row.job30),
  numberColumn('Jobs 90 d', (row) => row.job90),
  probabilityColumn(),
];

const MEASURES = [
  measure('Monthly fee per company', 'monthlyFee', 'Monthly fee'),
  measure('Revenue per company', 'revenue', 'Revenue'),
  measure('Employees per company', 'employees', 'Employees'),
  measure('Total fee per company', 'totalFee', 'Total fee'),
];

function measure(title: string, sort: 'monthlyFee' | 'revenue' | 'employees' | 'totalFee', name: string) {
  const value = (row: Company) => row[sort];
  const columns: readonly Column<Company>[] = [companyColumn(), industryColumn(), numberColumn(name, value)];
  const draw = bars<Company>({
    name: (row) => row.companyID,
    value,
    format: (each) => (each < 10_000 ? count(each) : short(each)),
    tip: (row) => [
      [name, count(value(row))],
      ['Industry', nameOf(row.industry)],
    ],
  });
  return { title, sort, columns, draw };
}
