import type { EpochMs } from '../../base/time.ts';
import type { Change, News } from './alert.ts';
import type { Delivery } from './delivery.ts';
import type { AlertRecord, Ledger } from './ledger.ts';
import type { Tenant } from './tenant.ts';

/** One alert on its way to one target; a tenant's news that waits for the end of its quiet period has none yet. */
export interface ReportedAlert {
  readonly companyID: string;
  readonly change: Change;
  readonly state: 'held' | 'waiting' | 'sent' | 'refused';
  readonly target: string;
  /** When it was raised, and when it was sent or refused; of one that is held, when it may be raised. */
  readonly raisedAt: EpochMs;
  readonly settledAt: EpochMs | null;
  readonly attempts: number;
  readonly problem: string;
  readonly at: EpochMs;
  readonly version: number;
  readonly churnProbability: number | null;
  readonly monthlyFee: number;
  readonly reasons: readonly string[];
  readonly merged: number;
}

export interface AlertsReport {
  readonly since: EpochMs;
  readonly silentDays: number;
  readonly quietMs: number;
  /** Deliveries since alerts were first switched on. */
  readonly sent: number;
  /** Less those that are sent once more. */
  readonly refused: number;
  /** News that was not told by itself. */
  readonly merged: number;
  /** Deliveries that wait now, and news that waits for the end of a quiet period. */
  readonly waiting: number;
  readonly held: number;
  /** Attempts that failed since the start. */
  readonly failedAttempts: number;
  readonly targets: readonly {
    readonly name: string;
    readonly waiting: number;
    /** Empty: it takes alerts. */
    readonly problem: string;
    readonly failingSince: EpochMs | null;
  }[];
  /** Newest first: those held, then alerts in the reverse of the order in which they were raised. */
  readonly alerts: readonly ReportedAlert[];
}

const MOST_HELD = 200;
const MOST_WAITING = 500;

/** What is known of alerts, to be shown. */
export function reportOf(
  ledger: Ledger,
  deliveries: readonly Delivery[],
  { quietMs, silentDays }: { readonly quietMs: number; readonly silentDays: number },
): AlertsReport {
  const open = [...ledger.open.values()];
  const held = [...ledger.tenants.values()].flatMap(heldOf);
  const waiting = deliveries.map((delivery) => open.filter((record) => delivery.isPending(record)).length);
  const shown = [...ledger.settled, ...open.slice(0, MOST_WAITING)].sort((one, other) => other.id - one.id);
  const { since, sent, refused, merged } = ledger.totals;
  return {
    since,
    silentDays,
    quietMs,
    ...{ sent, refused, merged },
    waiting: waiting.reduce((all, each) => all + each, 0),
    held: held.length,
    failedAttempts: deliveries.reduce((all, each) => all + each.failedAttempts, 0),
    targets: deliveries.map(({ target, failing }, index) => ({
      name: target.name,
      waiting: waiting[index] ?? 0,
      problem: failing?.problem ?? '',
      failingSince: failing?.since ?? null,
    })),
    alerts: [...held.slice(0, MOST_HELD), ...shown.flatMap((record) => rowsOf(record, deliveries))],
  };
}

function heldOf({ heldFlip, heldSilence, quietUntil, merged }: Tenant): readonly ReportedAlert[] {
  const nothing = { target: '', attempts: 0, problem: '', settledAt: null };
  return [heldFlip, heldSilence]
    .filter((news) => news !== null)
    .map((news) => ({ ...newsOf(news), ...nothing, state: 'held', raisedAt: quietUntil, merged }) as const);
}

/** One for each target that is done with it, or shall have it; a target that is configured no more is not named. */
function rowsOf(record: AlertRecord, deliveries: readonly Delivery[]): readonly ReportedAlert[] {
  const { raisedAt, merged } = record;
  const about = { ...newsOf(record), raisedAt, merged };
  const names = new Map(deliveries.map(({ target }) => [target.id, target.name]));
  const settled = Object.entries(record.settled).map(([id, { state, at, attempts, problem }]) => {
    const target = names.get(id) ?? 'an earlier target';
    return { ...about, state, target, attempts, problem, settledAt: at };
  });
  if (!record.isOpen) return settled;
  const waiting = deliveries
    .filter((delivery) => delivery.isPending(record))
    .map((delivery) => {
      const attempts = delivery.attemptsOf(record.id);
      const problem = attempts === 0 ? '' : (delivery.failing?.problem ?? '');
      return { ...about, state: 'waiting', target: delivery.target.name, attempts, problem, settledAt: null } as const;
    });
  return [...settled, ...waiting];
}

function newsOf({ companyID, change, at, version, churnProbability, monthlyFee, reasons }: News) {
  return { companyID, change, at, version, churnProbability, monthlyFee, reasons };
}
