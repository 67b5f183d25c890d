import { link } from '../state/route.ts';
import { day, NOTHING, percent } from '../text/format.ts';
import type { Column } from './table.tsx';

/** Columns that many tables have. */

export function companyColumn<Row extends { readonly companyID: string }>(): Column<Row> {
  return {
    name: 'Company',
    value: (row) => row.companyID,
    show: (row) => <a href={link('jobs', row.companyID)}>{row.companyID}</a>,
    heads: true,
  };
}

export function industryColumn<Row extends { readonly industry: string }>(): Column<Row> {
  return {
    name: 'Industry',
    value: (row) => row.industry,
    show: (row) => <a href={link('customers', row.industry)}>{nameOf(row.industry)}</a>,
  };
}

export function probabilityColumn<
  Row extends { readonly churnProbability: number | null; readonly riskOfChurn?: boolean | null },
>(): Column<Row> {
  return {
    name: 'Churn probability',
    value: (row) => row.churnProbability,
    show: (row) => <Probability value={row.churnProbability} high={row.riskOfChurn === true} />,
  };
}

export function lastJobColumn<Row extends { readonly lastJobAt: string | null }>(): Column<Row> {
  return { name: 'Last job (UTC)', value: (row) => row.lastJobAt, show: (row) => day(row.lastJobAt), text: true };
}

/** Numbers that need no words: one column each. */
export function numberColumn<Row>(name: string, value: (row: Row) => number | null): Column<Row> {
  return { name, value };
}

export function shareColumn<Row>(name: string, value: (row: Row) => number | null): Column<Row> {
  return { name, value, show: (row) => percent(value(row)) };
}

/** A company may have none. */
export function nameOf(industry: string): string {
  return industry.trim() === '' ? 'no industry' : industry;
}

function Probability({ value, high }: { readonly value: number | null; readonly high: boolean }) {
  if (value === null) return <>{NOTHING}</>;
  return (
    <span class={high ? 'meter high' : 'meter'}>
      <i aria-hidden="true">
        <b style={{ width: `${Math.round(value * 100)}%` }} />
      </i>
      <span>{percent(value)}</span>
    </span>
  );
}

export function Risk({ value }: { readonly value: boolean | null }) {
  if (value === null) return <span class="badge">unscored</span>;
  return value ? <span class="badge bad">at risk</span> : <span class="badge good">not at risk</span>;
}
