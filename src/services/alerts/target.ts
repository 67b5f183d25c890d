import { createHash } from 'node:crypto';
import { TenantAnalyticsError } from '../../base/errors.ts';
import type { Alert } from './alert.ts';

export type Outcome =
  | { readonly kind: 'sent' }
  /** May succeed later; not before `retryAfterMs`. */
  | { readonly kind: 'failed'; readonly problem: string; readonly retryAfterMs: number }
  /** Never will. */
  | { readonly kind: 'refused'; readonly problem: string };

/** Where alerts go. No text of it tells a secret. */
export interface Target {
  /** The same for the same address, over restarts. */
  readonly id: string;
  /** For people: what and where, without what is secret of its address. */
  readonly name: string;
  readonly kind: TargetAddress['kind'];
  /** Sends one alert, once, and never throws. Ends early, as failed, when the signal is aborted. */
  send(alert: Alert, link: string, signal: AbortSignal): Promise<Outcome>;
  close(): void;
}

export type TargetAddress =
  | { readonly kind: 'webhook' | 'slack'; readonly url: URL }
  | { readonly kind: 'sns'; readonly arn: string; readonly region: string; readonly isFifo: boolean };

export type AlertFormat = 'auto' | 'json' | 'slack';

const TOPIC = /^arn:aws[a-z-]*:sns:(?<region>[a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}(?<fifo>\.fifo)?$/;
const SLACK_HOSTS: ReadonlySet<string> = new Set(['hooks.slack.com', 'hooks.slack-gov.com']);

/**
 * `https://…` a webhook, `slack+https://…` what takes Slack's messages (Slack's own host is known), `arn:aws:sns:…` a topic.
 * @throws TenantAnalyticsError USAGE; an address may be a secret, so its message never quotes it
 */
export function targetAddress(text: string, format: AlertFormat): TargetAddress {
  const topic = TOPIC.exec(text);
  if (topic?.groups?.region !== undefined) {
    return { kind: 'sns', arn: text, region: topic.groups.region, isFifo: topic.groups.fifo !== undefined };
  }
  const isSlack = text.startsWith('slack+');
  const address = isSlack ? text.slice('slack+'.length) : text;
  if (!/^https?:\/\//.test(address) || !URL.canParse(address)) {
    throw new TenantAnalyticsError(
      'USAGE',
      'where alerts go: expected https://…, slack+https://… or the ARN of an SNS topic, got something else (not shown: it may be a secret).',
    );
  }
  const url = new URL(address);
  const takesSlack = isSlack || format === 'slack' || (format === 'auto' && SLACK_HOSTS.has(url.hostname));
  return { kind: takesSlack ? 'slack' : 'webhook', url };
}

/** Tells addresses apart without telling them. */
export function targetID(address: string): string {
  return createHash('sha256').update(address).digest('hex').slice(0, 16);
}
