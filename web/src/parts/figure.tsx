import type { ComponentChildren } from 'preact';
import { useId, useMemo, useState } from 'preact/hooks';
import type { AsOf } from '../../../src/services/dashboard/insights-schema.ts';
import type { Draw } from '../charts/common.ts';
import { tryAgain } from '../state/feed.ts';
import type { Failure } from '../state/insight.ts';
import { download } from '../text/csv.ts';
import { moment } from '../text/format.ts';
import { Chart, type Drawing } from './chart.tsx';
import { type Column, Table } from './table.tsx';

interface FigureProps<Row> {
  readonly title: string;
  readonly note?: string | undefined;
  readonly insight: { readonly answer: Answer<Row> | undefined; readonly failure: Failure | undefined };
  readonly columns: readonly Column<Row>[];
  /** Of the file with its numbers, without an ending. */
  readonly file: string;
  /** What is said when there is no row. */
  readonly empty: string;
  /** Without one, the numbers stand as a table only. */
  readonly draw?: Draw<Row> | undefined;
  readonly label?: string | undefined;
  readonly height?: number;
  readonly onPick?: ((name: string) => void) | undefined;
  /** Which rows have something to show; all unless told. */
  readonly hasMarks?: ((row: Row) => boolean) | undefined;
  readonly page?: number;
  /** Between the head and the chart. */
  readonly lead?: ComponentChildren;
  /** Beside the chart, or below it where it is narrow. */
  readonly beside?: ComponentChildren;
  /** Right of the title: a choice of what is shown. */
  readonly tools?: ComponentChildren;
  readonly wide?: boolean;
  /** Beside two others. */
  readonly tall?: boolean;
}

interface Answer<Row> {
  readonly asOf: AsOf;
  readonly rows: readonly Row[];
}

const HEIGHT = 240;

/** One chart or table with a title, as of when it is, its numbers as a table and as CSV, and a word when there are none. */
export function Figure<Row>(props: FigureProps<Row>) {
  const { title, note, insight, columns, file, wide = false, tall = false, tools, draw } = props;
  const [asTable, setAsTable] = useState(false);
  const id = useId();
  const { answer } = insight;
  const isEmpty = answer !== undefined && !hasMarks(props, answer);
  return (
    <section
      class={wide ? 'figure wide' : tall ? 'figure long' : 'figure'}
      aria-labelledby={id}
      aria-busy={answer === undefined && insight.failure === undefined}
    >
      <header>
        <div>
          <h2 id={id}>{title}</h2>
          {note !== undefined && !isEmpty && <p class="note">{note}</p>}
        </div>
        {tools}
      </header>
      <Inside {...props} asTable={asTable} height={props.height ?? HEIGHT} />
      <footer>
        <AsOfLine insight={insight} />
        {answer !== undefined && !isEmpty && (
          <span class="tools">
            {draw !== undefined && (
              <button type="button" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
                Table<span class="hidden"> of {title}</span>
              </button>
            )}
            <button type="button" onClick={() => download(file, columns, answer.rows)}>
              CSV<span class="hidden"> of {title}</span>
            </button>
          </span>
        )}
      </footer>
    </section>
  );
}

function Inside<Row>(props: FigureProps<Row> & { readonly asTable: boolean; readonly height: number }) {
  const { insight, height, empty, draw, asTable, title, columns, page, lead, beside, label, onPick } = props;
  const { answer, failure } = insight;
  const drawn = answer?.rows;
  const drawing = useMemo<Drawing | undefined>(
    () => (draw === undefined || drawn === undefined ? undefined : (colours, px) => draw(drawn, colours, px)),
    [draw, drawn],
  );
  if (answer === undefined) {
    return failure === undefined ? <Loading height={height} /> : <Failed failure={failure} height={height} />;
  }
  const { rows } = answer;
  if (!hasMarks(props, answer)) {
    return <Empty height={Math.min(height, 160)} text={empty} state={answer.asOf.state} />;
  }
  if (drawing === undefined || asTable) {
    return (
      <>
        {lead}
        <Table caption={title} columns={columns} rows={rows} {...(page === undefined ? {} : { page })} />
      </>
    );
  }
  return (
    <>
      {lead}
      <div class={beside === undefined ? undefined : 'beside'}>
        <Chart drawing={drawing} label={label ?? title} height={height} onPick={onPick} />
        {beside}
      </div>
    </>
  );
}

function hasMarks<Row>(props: FigureProps<Row>, { rows }: Answer<Row>): boolean {
  return rows.length > 0 && (props.hasMarks === undefined || rows.some(props.hasMarks));
}

function Loading({ height }: { readonly height: number }) {
  return (
    <div class="placeholder loading" style={{ minHeight: `${height}px` }}>
      <p>Loading…</p>
    </div>
  );
}

function Failed({ failure, height }: { readonly failure: Failure; readonly height: number }) {
  return (
    <div class="placeholder" style={{ minHeight: `${Math.min(height, 160)}px` }}>
      <p role="status">
        <strong>{failure.status === 404 ? 'Not found' : 'No numbers yet'}</strong>
        <br />
        {sentence(failure.message)}
      </p>
      <button type="button" onClick={tryAgain}>
        Try again
      </button>
    </div>
  );
}

function Empty({
  text,
  state,
  height,
}: {
  readonly text: string;
  readonly state: AsOf['state'];
  readonly height: number;
}) {
  return (
    <div class="placeholder" style={{ minHeight: `${height}px` }}>
      <p>{text}</p>
      {state === 'catching-up' && <p class="note">Rows written earlier are still being read.</p>}
    </div>
  );
}

/** As of when numbers are, and why they are not newer. */
export function AsOfLine({
  insight,
}: {
  readonly insight: { readonly answer: { readonly asOf: AsOf } | undefined; readonly failure: Failure | undefined };
}) {
  const { answer, failure } = insight;
  if (answer === undefined) return <span />;
  return (
    <span class="as-of">
      As of <time dateTime={answer.asOf.now}>{moment(answer.asOf.now)}</time> UTC
      {answer.asOf.state === 'catching-up' && ', catching up'}
      {failure !== undefined && <span class="warn"> · not newer: {failure.message}</span>}
    </span>
  );
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
