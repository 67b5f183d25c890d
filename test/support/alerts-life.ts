// Alerts on a simulated disk and a clock of their own: a life ends at the point it is told to, as if the power failed.
import { seededRandom } from '../../src/base/random.ts';
import type { EpochMs } from '../../src/base/time.ts';
import { ledgerStore } from '../../src/hosts/node/alerts.ts';
import type { World } from '../../src/runtime/ports.ts';
import { type Activity, keyOf, type News } from '../../src/services/alerts/alert.ts';
import { Alerts, type AlertsSettings } from '../../src/services/alerts/alerts.ts';
import type { Outcome, Target } from '../../src/services/alerts/target.ts';
import { SimulatedDisk } from '../simulation/simulated-files.ts';
import { VirtualTime } from './virtual-time.ts';

/** 2026-11-22T12:00Z */
export const START = Date.UTC(2026, 10, 22, 12);

export function flip(companyID: string, version: number, over: Partial<News> = {}): News {
  return {
    companyID,
    version,
    change: version % 2 === 1 ? 'at-risk' : 'recovered',
    at: START + version,
    industry: 'retail',
    monthlyFee: 461,
    churnProbability: 0.8,
    reasons: ['3 jobs in 30 days, typical 120'],
    ...over,
  };
}

/** Who is told, and what it took, repeats and all, in order. */
export class Receiver {
  readonly received: string[] = [];
  readonly id: string;
  /** How it answers; what it does not answer with `sent` it has not taken. */
  answer: (key: string) => Outcome = () => ({ kind: 'sent' });

  constructor(id = 'receiver') {
    this.id = id;
  }

  /** Of one company. */
  of(companyID: string): readonly string[] {
    return this.received.filter((key) => key.startsWith(`${companyID}:`));
  }
}

export interface SystemOptions {
  readonly quietMs?: number;
  readonly silentDays?: number;
  readonly mostOpen?: number;
  readonly receivers?: readonly Receiver[];
  readonly seed?: number;
}

/** A disk, a clock and receivers that outlast the lives of the service. */
export class AlertsSystem {
  readonly disk = new SimulatedDisk();
  readonly time = new VirtualTime(START);
  readonly warnings: string[] = [];
  readonly receivers: readonly Receiver[];
  readonly random: () => number;
  /** Tenants, and the latest event time of all rows, as the dashboard would tell them. */
  activity: { latestEvent: EpochMs | null; tenants: readonly Activity[] } = { latestEvent: null, tenants: [] };
  isAtTip = true;
  readonly #settings: Omit<AlertsSettings, 'targets'>;

  constructor({
    quietMs = 0,
    silentDays = 7,
    mostOpen = 10_000,
    receivers = [new Receiver()],
    seed = 1,
  }: SystemOptions = {}) {
    this.receivers = receivers;
    this.random = seededRandom(seed);
    this.#settings = { quietMs, silentDays, mostOpen, link: '' };
  }

  /** Starts the service. It dies at the so manieth of its points; they are operations of the disk, and both ends of a send. */
  begin(diesAt = Number.POSITIVE_INFINITY, receivers = this.receivers, sendsRefused = false): Life {
    return new Life(this, { ...this.#settings, targets: [], sendsRefused }, diesAt, receivers);
  }
}

export class Life {
  readonly died: Promise<void>;
  points = 0;
  isDead = false;
  alerts: Alerts | undefined;
  readonly #system: AlertsSystem;
  readonly #stop = new AbortController();
  readonly #opened: Promise<Alerts>;
  #running: Promise<void> | undefined;
  /** Full, while it throws. */
  diskFault: (operation: string) => void = () => undefined;
  #die: () => void = () => undefined;
  readonly #diesAt: number;

  constructor(system: AlertsSystem, settings: AlertsSettings, diesAt: number, receivers: readonly Receiver[]) {
    this.#system = system;
    this.#diesAt = diesAt;
    this.died = new Promise((resolve) => {
      this.#die = resolve;
    });
    const world = this.#world();
    const targets = receivers.map((receiver) => this.#target(receiver));
    this.#opened = Alerts.open(
      ledgerStore(world, 'alerts'),
      { ...settings, targets },
      { ...world, now: world.clock.now },
    );
  }

  /** Reads rows written before, then runs until it dies or is stopped. */
  async run(early: readonly News[] = []): Promise<void> {
    const opened = await Promise.race([this.#opened, this.died]);
    if (opened === undefined) return;
    this.alerts = opened;
    opened.flipped(early);
    opened.caughtUp();
    const source = {
      url: 'http://127.0.0.1:8080',
      activity: async () => this.#system.activity,
      isAtTip: () => this.#system.isAtTip,
    };
    this.#running = opened.run(source, this.#stop.signal);
    await this.#system.time.settle();
  }

  flipped(...flips: readonly News[]): void {
    if (!this.isDead) this.alerts?.flipped(flips);
  }

  /** A clean stop. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.race([this.#running, this.died]);
    this.isDead = true;
  }

  /** The power fails now. */
  crash(): void {
    this.isDead = true;
    this.#die();
    this.#system.disk.crash(this.#system.random);
  }

  #point(): void {
    if (this.isDead || ++this.points !== this.#diesAt) return;
    this.crash();
  }

  #world(): World {
    const { disk, time, warnings } = this.#system;
    const faults = {
      before: (operation: string) => {
        this.#point();
        if (!this.isDead) this.diskFault(operation);
      },
    };
    return {
      files: disk.mount(faults, () => this.isDead),
      clock: time.clock,
      probe: () => undefined,
      sleep: (ms, signal) => time.sleep(ms, signal),
      random: this.#system.random,
      warn: (message) => void warnings.push(message),
    };
  }

  #target(receiver: Receiver): Target {
    const hang = () => new Promise<never>(() => undefined);
    return {
      id: receiver.id,
      name: `webhook ${receiver.id}`,
      kind: 'webhook',
      send: async (alert) => {
        this.#point();
        if (this.isDead) return hang();
        const outcome = receiver.answer(keyOf(alert));
        if (outcome.kind === 'sent') receiver.received.push(keyOf(alert));
        this.#point();
        return this.isDead ? hang() : outcome;
      },
      close: () => undefined,
    };
  }
}
