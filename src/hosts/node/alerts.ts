import { ByteWriter } from '../../base/bytes.ts';
import { storageError, TenantAnalyticsError } from '../../base/errors.ts';
import { lockFolder } from '../../connectors/file/folder-lock.ts';
import { CheckpointStore } from '../../runtime/checkpoint-store.ts';
import type { World } from '../../runtime/ports.ts';
import type { StageChanges } from '../../runtime/state-changes.ts';
import { Alerts } from '../../services/alerts/alerts.ts';
import { httpTarget } from '../../services/alerts/http-target.ts';
import type { Entry, LedgerChanges, LedgerStore } from '../../services/alerts/ledger.ts';
import { type AlertFormat, type Target, targetAddress } from '../../services/alerts/target.ts';
import type { HostWorld } from './node-world.ts';

export interface AlertsRequest {
  /** Webhooks, `slack+https://…`, topics of SNS; or ARNs of Secrets Manager that hold one. Empty: no alerts. */
  readonly urls: readonly string[];
  readonly format: AlertFormat;
  /** What must not be forgotten is kept here. */
  readonly folder: string;
  readonly quietHours: number;
  readonly silentDays: number;
  /** The dashboard as those who read alerts reach it; empty: as it is here. */
  readonly link: string;
  /** What targets refused before is sent to them once more. */
  readonly sendsRefused: boolean;
}

export const NO_ALERTS: AlertsRequest = {
  urls: [],
  format: 'auto',
  folder: '',
  quietHours: 24,
  silentDays: 7,
  link: '',
  sendsRefused: false,
};

export interface OpenedAlerts {
  readonly alerts: Alerts;
  /** Lets another process have the folder; after `run` has ended. */
  release(): Promise<void>;
}

/** One attempt, from the wait for a connection to the answer. */
const TIMEOUT_MS = 10_000;
const HOUR_MS = 3_600_000;

/**
 * Alerts with what they must not forget in a folder; undefined when none are asked for.
 * @throws TenantAnalyticsError USAGE, LOCKED, SECRET_UNREADABLE, CHECKPOINT_CORRUPT, STATE_MISMATCH
 */
export async function openAlerts(request: AlertsRequest, world: HostWorld): Promise<OpenedAlerts | undefined> {
  const { folder, quietHours, silentDays, link, sendsRefused } = request;
  if (request.urls.length === 0) return undefined;
  const targets = await targetsOf(request, world);
  await world.files.makeFolder(folder).catch((error: unknown) => {
    throw storageError(error, `--alerts-folder: cannot make the folder ${folder}`);
  });
  const lock = await lockFolder(folder);
  try {
    const settings = { targets, quietMs: Math.round(quietHours * HOUR_MS), silentDays, link, sendsRefused };
    const { clock, random, sleep, warn } = world;
    const alerts = await Alerts.open(ledgerStore(world, folder), settings, { now: clock.now, random, sleep, warn });
    return { alerts, release: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * Whether the addresses are some, before what takes a while is begun.
 * @throws TenantAnalyticsError USAGE
 */
export function checkAlerts({ urls, format }: AlertsRequest): void {
  for (const text of urls) if (!SECRET.test(text)) targetAddress(text, format);
}

const SECRET = /^arn:aws[a-z-]*:secretsmanager:/;

async function targetsOf({ urls, format }: AlertsRequest, world: HostWorld): Promise<readonly Target[]> {
  const { clock, warn, observation } = world;
  const targets = new Map<string, Target>();
  for (const text of urls) {
    const address = targetAddress(await resolved(text), format);
    if (address.kind === 'sns') {
      // Only now: the SDK takes a while to load.
      const { snsTarget } = await import('../../services/alerts/sns-target.ts');
      const target = snsTarget(address, TIMEOUT_MS);
      targets.set(target.id, target);
    } else {
      // Whoever knows such an address may write there.
      if (address.url.pathname + address.url.search !== '/') observation?.secrets.hide(address.url.href);
      const target = httpTarget(address, TIMEOUT_MS, clock.now);
      targets.set(target.id, target);
      const { protocol, hostname } = address.url;
      if (protocol === 'http:' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) {
        warn(`Alerts: what is sent to ${target.name} can be read on its way: it is http, not https.`);
      }
    }
  }
  return [...targets.values()];
}

async function resolved(text: string): Promise<string> {
  if (!SECRET.test(text)) return text;
  const { resolveSecret } = await import('../../connectors/aws/secrets.ts');
  return (await resolveSecret(text, text.split(':')[3] ?? '')).trim();
}

const STAGES = ['tenants', 'alerts'] as const;
const CODEC_VERSION = 1;

/** The ledger in checkpoints: what changed is one file, durable or not there at all; a damaged one is told. */
export function ledgerStore(world: World, folder: string): LedgerStore {
  const store = new CheckpointStore(world, `${folder}/state`);
  return {
    async open() {
      const found = await store.open().catch((error: unknown) => {
        throw explained(error, folder);
      });
      if (found === undefined) return undefined;
      const entries = (stage: string): Entry[] =>
        Array.from(found.stages.get(stage)?.states ?? [], ({ key, state }) => [key, textOf(state)]);
      return { body: found.body, tenants: entries('tenants'), alerts: entries('alerts') };
    },
    async commit(changes) {
      await store.commit(changes.body, stagesOf(changes), false);
    },
  };
}

function stagesOf(changes: LedgerChanges): readonly StageChanges[] {
  return STAGES.flatMap((stage) => {
    const entries = changes[stage];
    if (entries.length === 0) return [];
    const to = new ByteWriter(1024);
    for (const [key, text] of entries) {
      to.text(key);
      to.byte(text === null ? 0 : 1);
      if (text !== null) to.block(encoder.encode(text));
    }
    return [{ stage, codecVersion: CODEC_VERSION, count: entries.length, entries: to.take(0) }];
  });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function textOf(state: Uint8Array | null): string | null {
  return state === null ? null : decoder.decode(state);
}

/** An empty state would tell of everything again, or of nothing that happened while it was down: a person decides. */
function explained(error: unknown, folder: string): unknown {
  if (!(error instanceof TenantAnalyticsError) || error.code !== 'CHECKPOINT_CORRUPT') return error;
  return new TenantAnalyticsError(
    'CHECKPOINT_CORRUPT',
    `The state of the alerts in ${folder} is damaged (${error.message.split(' Nothing was changed.')[0]}). Nothing was changed, and no alert is sent. Restore the folder from a copy, or remove it: then only what happens from now on is told.`,
    { cause: error },
  );
}
