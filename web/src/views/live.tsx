import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import type { CompanyNews, Flip } from '../../../src/services/dashboard/insights-schema.ts';
import { nameOf, Risk } from '../parts/cells.tsx';
import { Head } from '../parts/head.tsx';
import { Scroll } from '../parts/scroll.tsx';
import type { Column } from '../parts/table.tsx';
import { Turn } from '../parts/turn.tsx';
import { companies, connection, flips, isPausedByReader, keyOf, pauseFeed, status } from '../state/feed.ts';
import { useInsight } from '../state/insight.ts';
import { link } from '../state/route.ts';
import { download } from '../text/csv.ts';
import { clock, count, moment, percent, plural } from '../text/format.ts';

/** What happens now: enriched companies as they arrive, and who turned at-risk or back. */
export function Live() {
  const today = useInsight('risk-changes', { days: 1, limit: 200 });
  const changes = merged(flips.value, today.answer?.rows ?? []);
  const { value: now } = status;
  return (
    <>
      <Head title="Live">
        <button type="button" aria-pressed={isPausedByReader.value} onClick={() => pauseFeed(!isPausedByReader.value)}>
          {isPausedByReader.value ? 'Resume' : 'Pause'}
        </button>
      </Head>
      <div class="grid two">
        <Feed
          title="Enriched companies"
          note="The newest row of each company that changed. Time: of the event, UTC."
          asOf={now && `${plural(now.rows, 'row')} since the start of the service`}
          more={
            now !== undefined && now.companiesNotShown > 0
              ? `${count(now.companiesNotShown)} more came than are shown.`
              : undefined
          }
          empty={waiting()}
          items={companies.value}
          keyOf={keyOf}
          columns={NEWS_COLUMNS}
          file="live-companies"
          item={(news) => <News news={news} />}
        />
        <Feed
          title="Risk flips today"
          note="Tenants that turned at-risk, or back, since 00:00 UTC."
          asOf={today.answer && `As of ${moment(today.answer.asOf.now)} UTC`}
          more={undefined}
          empty={
            today.answer === undefined && today.failure === undefined
              ? 'Loading…'
              : 'No tenant turned at-risk or recovered today.'
          }
          items={changes}
          keyOf={keyOf}
          columns={FLIP_COLUMNS}
          file="risk-flips"
          item={(flip) => <FlipItem flip={flip} />}
        />
      </div>
    </>
  );
}

interface FeedProps<Item> {
  readonly title: string;
  readonly note: string;
  readonly asOf: string | undefined;
  readonly more: string | undefined;
  readonly empty: string;
  readonly items: readonly Item[];
  readonly keyOf: (item: Item) => string;
  readonly columns: readonly Column<Item>[];
  readonly file: string;
  readonly item: (item: Item) => ComponentChildren;
}

function Feed<Item>({ title, note, asOf, more, empty, items, keyOf: key, columns, file, item }: FeedProps<Item>) {
  const id = useId();
  return (
    <section class="figure" aria-labelledby={id}>
      <header>
        <div>
          <h2 id={id}>{title}</h2>
          <p class="note">{note}</p>
        </div>
      </header>
      {items.length === 0 ? (
        <div class="placeholder tall">
          <p>{empty}</p>
        </div>
      ) : (
        <Scroll label={title} tall>
          <ol class="feed">
            {items.map((each) => (
              <li key={key(each)}>{item(each)}</li>
            ))}
          </ol>
        </Scroll>
      )}
      <footer>
        <span class="as-of">
          {asOf}
          {more !== undefined && <span class="warn"> · {more}</span>}
        </span>
        {items.length > 0 && (
          <span class="tools">
            <button type="button" onClick={() => download(file, columns, items)}>
              CSV<span class="hidden"> of {title}</span>
            </button>
          </span>
        )}
      </footer>
    </section>
  );
}

function News({ news }: { readonly news: CompanyNews }) {
  return (
    <>
      <time dateTime={news.eventTime}>{clock(news.eventTime)}</time>
      <span>
        <a href={link('jobs', news.companyID)}>{news.companyID}</a> <span class="note">{nameOf(news.industry)}</span>
        <br />
        {news.trigger === 'decay'
          ? 'no new job; its counts fell'
          : `${plural(news.nbJobs, 'job')}${news.userID === null ? '' : ` by ${news.userID}`}`}
        <span class="note">
          {' '}
          · {count(news.job30)} in 30 d, {count(news.job90)} in 90 d
        </span>
      </span>
      <span class="score">
        <Risk value={news.riskOfChurn} />
        <span class="note">{percent(news.churnProbability)}</span>
      </span>
    </>
  );
}

function FlipItem({ flip }: { readonly flip: Flip }) {
  return (
    <>
      <time dateTime={flip.at}>{clock(flip.at)}</time>
      <span>
        <a href={link('jobs', flip.companyID)}>{flip.companyID}</a> <span class="note">{nameOf(flip.industry)}</span>
        <br />
        <span class="note">monthly fee {count(flip.monthlyFee)}</span>
      </span>
      <span class="score">
        <Turn change={flip.change} />
        <span class="note">{percent(flip.churnProbability)}</span>
      </span>
    </>
  );
}

/** Those of the feed and those of today, each once, newest first. */
function merged(fresh: readonly Flip[], today: readonly Flip[]): readonly Flip[] {
  const known = new Map([...today, ...fresh].map((flip) => [keyOf(flip), flip]));
  return [...known.values()].sort((one, other) => other.at.localeCompare(one.at));
}

function waiting(): string {
  if (connection.value === 'paused') return 'Paused. Resume to see what happens now.';
  if (connection.value === 'lost') return 'Not connected. Companies show up here when the service answers again.';
  return 'Nothing has happened since you opened this page. The next enriched company shows up here by itself.';
}

const NEWS_COLUMNS: readonly Column<CompanyNews>[] = [
  { name: 'Event time', value: (row) => row.eventTime },
  { name: 'Company', value: (row) => row.companyID },
  { name: 'Industry', value: (row) => row.industry },
  { name: 'Trigger', value: (row) => row.trigger },
  { name: 'User', value: (row) => row.userID },
  { name: 'Jobs', value: (row) => row.nbJobs },
  { name: 'Jobs 30 d', value: (row) => row.job30 },
  { name: 'Jobs 90 d', value: (row) => row.job90 },
  { name: 'Churn probability', value: (row) => row.churnProbability },
  { name: 'Version', value: (row) => row.version },
];

const FLIP_COLUMNS: readonly Column<Flip>[] = [
  { name: 'At', value: (row) => row.at },
  { name: 'Company', value: (row) => row.companyID },
  { name: 'Industry', value: (row) => row.industry },
  { name: 'Change', value: (row) => row.change },
  { name: 'Churn probability', value: (row) => row.churnProbability },
  { name: 'Monthly fee', value: (row) => row.monthlyFee },
];
