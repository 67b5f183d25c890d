import { onAbort } from '../../base/abort.ts';
import { backoffMs } from '../../base/backoff.ts';
import { messageOf } from '../../base/errors.ts';
import type { EpochMs, UtcDay } from '../../base/time.ts';
import { type Activity, bounded, dayStart, judgedDay, type News, silenceOf, silentFrom } from './alert.ts';
import { Bell } from './bell.ts';
import { Delivery, type DeliveryWorld } from './delivery.ts';
import { type AlertRecord, Ledger, type LedgerStore } from './ledger.ts';
import { type AlertsReport, reportOf } from './report.ts';
import type { Target } from './target.ts';
import { isHeld, release, takeActivity, takeFlip, takeSilence } from './tenant.ts';

export interface AlertsWorld extends DeliveryWorld {
  /** Ends early, without an error, when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface AlertsSettings {
  readonly targets: readonly Target[];
  /** After an alert of a tenant, the next one of it waits for so long. */
  readonly quietMs: number;
  /** So many UTC days without a job event are a silence. */
  readonly silentDays: number;
  /** Where alerts link to: the dashboard as those who read them reach it. Empty: as it is here. */
  readonly link: string;
  /** What targets refused before is sent to them once more. */
  readonly sendsRefused?: boolean;
  /** Alerts that may wait for a target; MOST_OPEN unless given. */
  readonly mostOpen?: number;
}

/** What is asked of the dashboard. */
export interface AlertsSource {
  readonly url: string;
  /** Tenants whose last job event is known, and the latest event time of all rows. */
  activity(): Promise<{ readonly latestEvent: EpochMs | null; readonly tenants: readonly Activity[] }>;
  /** Whether all that the stream had at the start was read: before, a tenant may seem silent that is not. */
  isAtTip(): boolean;
}

/** Alerts that wait for a target; beyond, what is new waits with its tenant, the newest of each in place of the others. */
const MOST_OPEN = 10_000;
/** How often tenants are looked at that may have fallen silent. */
const LOOK_MS = 60_000;
/** How long an alert that is being sent is waited for at the stop, so that it is not sent twice. */
const STOP_MS = 5000;
const COMMIT_FIRST_MS = 200;
const COMMIT_LONGEST_MS = 30_000;

/**
 * Tells of tenants that turned at-risk, or back, or went silent: each at least once to each target, also over a crash, and a
 * second time only after one. For that, in this order: what was taken from the rows and the alerts it became are durable;
 * an alert is sent; that it was is durable; the next one is sent.
 *
 * Rows may come any number of times, in any part: of a company's flips those count that are newer than the last one taken.
 */
export class Alerts {
  readonly #ledger: Ledger;
  readonly #settings: AlertsSettings;
  readonly #world: AlertsWorld;
  readonly #deliveries: readonly Delivery[];
  readonly #held = new Set<string>();
  readonly #mostOpen: number;
  /** Rings when there may be something to raise. */
  readonly #news: Bell;
  /** Rings when there may be something to send. */
  readonly #mail: Bell;
  /** The newest flip of each company among rows written before; undefined once all of them are read. */
  #early: Map<string, News> | undefined = new Map();
  /** Alerts up to this id are durable. */
  #durable: number;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #wasAtTip = false;
  #isFull = false;
  #isStorageTold = false;

  private constructor(ledger: Ledger, settings: AlertsSettings, world: AlertsWorld) {
    this.#ledger = ledger;
    this.#settings = settings;
    this.#world = world;
    this.#mostOpen = settings.mostOpen ?? MOST_OPEN;
    this.#deliveries = settings.targets.map((target) => new Delivery(target, world));
    this.#durable = ledger.lastID;
    this.#news = new Bell(world.sleep);
    this.#mail = new Bell(world.sleep);
    const again = settings.sendsRefused === true ? ledger.reopenRefused() : 0;
    if (again > 0) world.warn(`Alerts: ${again} that were refused ${again === 1 ? 'is' : 'are'} sent once more.`);
    // Those that only waited for a target that is configured no more.
    for (const record of [...ledger.open.values()]) this.#closeIfDone(record);
    for (const [companyID, tenant] of ledger.tenants) if (isHeld(tenant)) this.#held.add(companyID);
  }

  /** @throws TenantAnalyticsError when the state of an earlier run cannot be used */
  static async open(store: LedgerStore, settings: AlertsSettings, world: AlertsWorld): Promise<Alerts> {
    return new Alerts(await Ledger.open(store, world.now()), settings, world);
  }

  /** Rows on which a risk flipped, as they are applied. */
  flipped(flips: readonly News[]): void {
    for (const flip of flips) {
      if (flip.at < this.#ledger.totals.since) continue;
      if (this.#early === undefined) this.#take(flip);
      else if ((this.#early.get(flip.companyID)?.version ?? 0) < flip.version) this.#early.set(flip.companyID, flip);
    }
    this.#news.ring();
  }

  /** All rows written before came: files are not in the order of versions, what comes now is. */
  caughtUp(): void {
    for (const flip of this.#early?.values() ?? []) this.#take(flip);
    this.#early = undefined;
    this.#news.ring();
  }

  /** Raises and sends alerts until the signal is aborted, and those being sent came to an end. */
  async run(source: AlertsSource, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const ended = new AbortController();
    const takeBack = onAbort(signal, () => {
      this.#news.ring();
      this.#mail.ring();
      void this.#world.sleep(STOP_MS, ended.signal).then(() => over.abort());
    });
    const link = this.#settings.link === '' ? source.url : this.#settings.link;
    try {
      await Promise.all([
        this.#raiseAll(source, signal),
        ...this.#deliveries.map((delivery) => this.#deliver(delivery, link, signal, over.signal)),
      ]);
      await this.#ledger.commit().catch((error: unknown) => this.#world.warn(`Alerts: ${messageOf(error)}`));
    } finally {
      ended.abort();
      takeBack();
      for (const { target } of this.#deliveries) target.close();
    }
  }

  report(): AlertsReport {
    return reportOf(this.#ledger, this.#deliveries, this.#settings);
  }

  #take(flip: News): void {
    const { isNew, merged } = takeFlip(this.#ledger.tenant(flip.companyID), bounded(flip));
    if (isNew) this.#changed(flip.companyID, merged);
  }

  #changed(companyID: string, merged: number): void {
    this.#ledger.tenantChanged(companyID, merged);
    if (isHeld(this.#ledger.tenant(companyID))) this.#held.add(companyID);
    else this.#held.delete(companyID);
  }

  async #raiseAll(source: AlertsSource, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = this.#world.now();
      if (now - this.#lookedAt >= LOOK_MS) await this.#look(source, now);
      this.#release(this.#world.now());
      const raised = this.#ledger.lastID;
      if (!(await this.#commit(signal))) return;
      if (raised > this.#durable) {
        this.#durable = raised;
        this.#mail.ring();
      }
      // Whatever came meanwhile is looked at before the wait, and nothing comes between the two.
      if (this.#ledger.isChanged || this.#isReleasable(this.#world.now())) continue;
      await this.#news.rest(Math.min(LOOK_MS, this.#untilRelease()), signal);
    }
  }

  async #look(source: AlertsSource, now: EpochMs): Promise<void> {
    this.#wasAtTip ||= this.#early === undefined && source.isAtTip();
    if (!this.#wasAtTip) return;
    this.#lookedAt = now;
    const { latestEvent, tenants } = await source.activity();
    for (const each of tenants) {
      const { isNew, merged } = takeActivity(this.#ledger.tenant(each.companyID), each);
      if (isNew) this.#changed(each.companyID, merged);
    }
    this.#judge(judgedDay(now, latestEvent));
  }

  #judge(today: UtcDay): void {
    const { silentDays } = this.#settings;
    for (const [companyID, tenant] of this.#ledger.tenants) {
      if (tenant.seen === null) continue;
      const from = silentFrom(tenant.seen.lastJobAt, silentDays);
      if (today < from || dayStart(from) < this.#ledger.totals.since) continue;
      const news = bounded(silenceOf({ companyID, ...tenant.seen }, today));
      if (takeSilence(tenant, news)) this.#changed(companyID, 0);
    }
  }

  #isReleasable(now: EpochMs): boolean {
    if (this.#ledger.open.size >= this.#mostOpen) return false;
    for (const companyID of this.#held) if (this.#ledger.tenant(companyID).quietUntil <= now) return true;
    return false;
  }

  #release(now: EpochMs): void {
    const ledger = this.#ledger;
    for (const companyID of this.#held) {
      if (ledger.open.size >= this.#mostOpen) break;
      const tenant = ledger.tenant(companyID);
      const { merged } = tenant;
      const due = release(tenant, now, this.#settings.quietMs);
      if (due.length === 0) continue;
      for (const [index, news] of due.entries())
        ledger.raise({ ...news, raisedAt: now, merged: index === 0 ? merged : 0 });
      tenant.merged = 0;
      this.#changed(companyID, 0);
    }
    const isFull = ledger.open.size >= this.#mostOpen;
    if (isFull && !this.#isFull) {
      this.#world.warn(
        `Alerts: ${this.#mostOpen} wait to be delivered. What is new waits with its tenant, the newest in place of the others; nothing is forgotten. Mend the target, or start without it.`,
      );
    }
    this.#isFull = isFull;
  }

  #untilRelease(): number {
    if (this.#ledger.open.size >= this.#mostOpen) return LOOK_MS; // woken by the first that is delivered
    let soonest = Number.POSITIVE_INFINITY;
    for (const companyID of this.#held) soonest = Math.min(soonest, this.#ledger.tenant(companyID).quietUntil);
    return Math.max(0, soonest - this.#world.now());
  }

  async #deliver(delivery: Delivery, link: string, signal: AbortSignal, over: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const step = delivery.next(this.#ledger.open, this.#durable);
      if ('waitMs' in step) {
        await this.#mail.rest(step.waitMs, signal);
        continue;
      }
      const { send: record } = step;
      const settled = delivery.ended(record, await delivery.target.send(record, link, over));
      if (settled === undefined) continue;
      this.#ledger.settle(record, delivery.target.id, settled);
      this.#closeIfDone(record);
      if (!(await this.#commit(signal))) return;
      // There is room for one more, and those of its tenant that waited for it may go.
      this.#news.ring();
    }
  }

  #closeIfDone(record: AlertRecord): void {
    if (this.#deliveries.every((each) => !each.isPending(record))) this.#ledger.close(record);
  }

  /** True: durable. Tried again for as long as it takes: what is not durable must not be sent. */
  async #commit(signal: AbortSignal): Promise<boolean> {
    for (let failures = 0; ; failures++) {
      try {
        await this.#ledger.commit();
        if (this.#isStorageTold) this.#world.warn('Alerts: their state can be written again.');
        this.#isStorageTold = false;
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        if (!this.#isStorageTold) {
          this.#world.warn(`Alerts: ${messageOf(error)} None is sent until it can be written; this is tried again.`);
        }
        this.#isStorageTold = true;
        const { random, sleep } = this.#world;
        await sleep(backoffMs(random, failures, COMMIT_FIRST_MS, COMMIT_LONGEST_MS), signal);
        if (signal.aborted) return false;
      }
    }
  }
}
