import type { EpochMs } from '../../base/time.ts';
import { dayOf } from '../../base/time.ts';
import type { News } from '../alerts/alert.ts';
import type { AlertsSource } from '../alerts/alerts.ts';
import { activityOf, newsOfFlips } from './alert-input.ts';
import { catchUp, type RowFiles } from './catch-up.ts';
import { Feed } from './feed.ts';
import { answered, COMPANY, valuesOf } from './insight-sql.ts';
import { answer, asOfView } from './insights.ts';
import { FLIP } from './insights-risk.ts';
import type { AsOf, CompanyNews, Flip, InsightAnswer, InsightName, InsightQuery, Status } from './insights-schema.ts';
import { rowText } from './row-input.ts';
import { type Applied, DashboardStore, firstLine, isOfDatabase, type View } from './store.ts';

export interface DashboardWorld {
  readonly now: () => EpochMs;
  readonly warn: (message: string) => void;
  /** Told of each risk flip, once, as soon as it is in the answers. */
  readonly flipped?: (flips: readonly News[]) => void;
}

/** How long rows are collected before they are applied together. */
const COLLECT_MS = 200;
/** Rows applied at a time, and waiting ones at which who reads the stream should wait. */
const BATCH_ROWS = 10_000;
const STATUS_MS = 2000;
/** More flips of one batch than these are not told in the feed; all are counted. */
const MOST_FLIPS = 1000;

/**
 * The dashboard without its HTTP: rows go in by `ingest`, answers come out. It keeps nothing that the rows cannot make
 * again.
 */
export class Dashboard {
  readonly feed: Feed;
  readonly #store: DashboardStore;
  readonly #world: DashboardWorld;
  readonly #status: NodeJS.Timeout;
  #waiting: string[] = [];
  #applying: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #state: AsOf['state'] = 'live';
  #notShown = 0;
  #isClosed = false;
  #isTelling = false;
  #unusable = 0;
  #fail: (error: unknown) => void = () => undefined;
  /** Resolves with what went wrong when rows cannot be applied any more. */
  readonly failed: Promise<unknown>;

  private constructor(store: DashboardStore, world: DashboardWorld) {
    this.#store = store;
    this.#world = world;
    this.feed = new Feed(world.now());
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    this.#status = setInterval(() => void this.#tellStatus(), STATUS_MS);
    this.#status.unref();
  }

  static async open(world: DashboardWorld): Promise<Dashboard> {
    return new Dashboard(await DashboardStore.open(world.now, world.warn), world);
  }

  /** Reads rows that were written before. Until it is done, answers say that they grow. */
  async catchUp(files: RowFiles, signal: AbortSignal): Promise<void> {
    this.#state = 'catching-up';
    const { warn } = this.#world;
    const flipped = (flips: Applied['flips']) => this.#world.flipped?.(newsOfFlips(flips));
    const { unusable } = await catchUp(this.#store, files, { warn, signal, flipped });
    this.#state = 'live';
    if (unusable > 0) warn(`The dashboard left out ${unusable} lines of files of rows: they are no rows.`);
  }

  /** A record of `enrichedcompanies`; seen in answers in about COLLECT_MS. */
  ingest(data: Uint8Array): void {
    if (this.#isClosed) return; // a read that was under way
    const text = rowText(data);
    if (text === undefined) {
      this.#leaveOut();
      return;
    }
    this.#waiting.push(text);
    this.#timer ??= setTimeout(() => {
      // Not only when rows are applied: that may be under way, and the next row needs a timer of its own.
      this.#timer = undefined;
      void this.applied();
    }, COLLECT_MS);
  }

  /** Once there is room for more rows: who reads the stream waits for it, so that nothing piles up here. */
  async room(): Promise<void> {
    while (this.#waiting.length >= BATCH_ROWS) await this.applied();
  }

  /** Once all rows that came so far are in the answers. */
  applied(): Promise<void> {
    this.#applying ??= this.#applyAll().finally(() => {
      this.#applying = undefined;
    });
    return this.#applying;
  }

  /** Makes the store small again; done by itself after many rows. */
  fold(): Promise<void> {
    return this.#store.fold();
  }

  /** `only`: from the rows of that company alone. */
  answer<N extends InsightName>(name: N, query: InsightQuery<N>, only?: string): Promise<InsightAnswer<N> | undefined> {
    return answer(name, query, { store: this.#store, now: this.#world.now(), state: this.#state, only });
  }

  /** For its metrics: what it took since its start, and what waits. */
  get progress() {
    const { rows, unusable } = this.#store;
    return {
      rows,
      unusable: unusable + this.#unusable,
      waiting: this.#waiting.length,
      isCatchingUp: this.#state === 'catching-up',
      feedReaders: this.feed.readers,
    };
  }

  /** `only`: of that company, as if there were no other. */
  status(only?: string): Promise<Status> {
    return this.#store.view(async (view) => {
      const [known] = await view.all('SELECT count(*) AS tenants FROM companies');
      const asOf = await asOfView(view, this.#world.now(), this.#state);
      const companiesNotShown = only === undefined ? this.#notShown : 0;
      return { ...asOf, tenants: Number(known?.tenants ?? 0), companiesNotShown };
    }, only);
  }

  /** For alerts: which tenants are active, and since when others are not. */
  async activity(): ReturnType<AlertsSource['activity']> {
    await this.applied();
    return this.#store.view(activityOf);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#status);
    clearTimeout(this.#timer);
    this.#waiting = [];
    await this.#applying;
    this.feed.close();
    await this.#store.close();
  }

  async #applyAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      while (this.#waiting.length > 0) {
        await this.#applyTexts(this.#waiting.splice(0, BATCH_ROWS));
      }
    } catch (error) {
      this.#waiting = [];
      this.#fail(error);
    }
  }

  /** One row that the database does not take (half a surrogate pair, say) must not keep out all others. */
  async #applyTexts(texts: readonly string[]): Promise<void> {
    try {
      await this.#tell(await this.#store.applyTexts(texts, this.feed.watched));
    } catch (error) {
      // Without memory, or a disk, no row can be taken: none of them is wrong.
      if (isOfDatabase(error)) throw error;
      if (texts.length > 1) {
        const middle = texts.length >> 1;
        await this.#applyTexts(texts.slice(0, middle));
        await this.#applyTexts(texts.slice(middle));
        return;
      }
      await this.#store.view((view) => view.all('SELECT 1')); // not the row, but the database: that is told as such
      this.#leaveOut(error);
    }
  }

  #leaveOut(error?: unknown): void {
    const why = error === undefined ? '' : ` (${firstLine(error)})`;
    if (this.#unusable++ === 0) {
      this.#world.warn(`The dashboard leaves out records of its stream that are no enriched companies${why}.`);
    }
  }

  async #tell({ changed, newest, flips }: Applied): Promise<void> {
    this.#notShown += changed - newest.length;
    if (flips.length > 0) this.#world.flipped?.(newsOfFlips(flips));
    if (this.feed.readers === 0 || (newest.length === 0 && flips.length === 0)) return;
    const today = dayOf(this.#world.now());
    const news = await this.#store.view((view) => newsOf(view, newest, today));
    const turned = await this.#store.view((view) => flipsOf(view, flips.slice(0, MOST_FLIPS)));
    for (const data of news) this.feed.publish({ event: 'company', data });
    for (const data of turned) this.feed.publish({ event: 'flip', data });
  }

  async #tellStatus(): Promise<void> {
    // The last ones are not told yet: many look, each at another company.
    if (this.feed.readers === 0 || this.#isTelling) return;
    this.#isTelling = true;
    try {
      await this.feed.publishStatus((companyID) => this.status(companyID));
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isTelling = false;
    }
  }
}

async function newsOf(view: View, companyIDs: readonly string[], today: number): Promise<readonly CompanyNews[]> {
  return answered(
    await view.all(
      `SELECT ${COMPANY(today)}, trigger, userID, nbJobs FROM companies
      WHERE companyID IN (SELECT unnest(from_json($ids, '["VARCHAR"]'))) ORDER BY eventTime, companyID`,
      valuesOf({ ids: JSON.stringify(companyIDs) }),
    ),
  );
}

async function flipsOf(view: View, flips: Applied['flips']): Promise<readonly Flip[]> {
  return answered(
    await view.all(
      `SELECT ${FLIP} FROM flips JOIN companies USING (companyID)
      WHERE (companyID, flips.version) IN
        (SELECT (f.companyID, f.version) FROM (SELECT unnest(from_json($flips, '[{"companyID": "VARCHAR", "version": "BIGINT"}]')) AS f))
      ORDER BY flips.eventTime, companyID`,
      valuesOf({ flips: JSON.stringify(flips.map(({ companyID, version }) => ({ companyID, version }))) }),
    ),
  );
}
