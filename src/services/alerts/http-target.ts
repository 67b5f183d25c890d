import { systemCode } from '../../base/errors.ts';
import type { EpochMs } from '../../base/time.ts';
import { type Alert, keyOf } from './alert.ts';
import { jsonMessage, slackMessage } from './messages.ts';
import { type Outcome, type Target, type TargetAddress, targetID } from './target.ts';

type HttpAddress = Extract<TargetAddress, { readonly url: URL }>;

/** One that asks for more patience is asked again after this. */
const RETRY_AFTER_LONGEST_MS = 60 * 60_000;

/** A webhook, or what takes Slack's messages. */
export function httpTarget({ kind, url }: HttpAddress, timeoutMs: number, now: () => EpochMs): Target {
  const { href, headers } = withoutUser(url);
  const message = kind === 'slack' ? slackMessage : jsonMessage;
  return {
    id: targetID(`${kind} ${url.href}`),
    name: `${kind} ${url.host}`,
    kind,
    async send(alert, link, signal) {
      try {
        const response = await fetch(href, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json', 'idempotency-key': headerKey(alert) },
          body: message(alert, link),
          // Elsewhere it would be sent with all that is secret of the address.
          redirect: 'manual',
          signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        });
        // Whatever it says of itself may repeat the address: only the status is looked at.
        await response.body?.cancel();
        return outcomeOf(response, now());
      } catch (error) {
        return { kind: 'failed', problem: problemOf(error, timeoutMs), retryAfterMs: 0 };
      }
    },
    close: () => undefined,
  };
}

function outcomeOf({ status, headers }: Response, now: EpochMs): Outcome {
  if (status >= 200 && status < 300) return { kind: 'sent' };
  const problem = `it answers ${status}`;
  if (status >= 500 || status === 429 || status === 408) {
    return { kind: 'failed', problem, retryAfterMs: retryAfterMs(headers.get('retry-after'), now) };
  }
  return {
    kind: 'refused',
    problem: status < 400 ? `${problem}, which sends us elsewhere: name that address` : problem,
  };
}

/** RFC 9110: seconds, or a date. */
function retryAfterMs(header: string | null, now: EpochMs): number {
  const value = header?.trim() ?? '';
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(wait) ? Math.min(Math.max(0, wait), RETRY_AFTER_LONGEST_MS) : 0;
}

/** Only what is known to tell nothing of the address. */
function problemOf(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  if (error instanceof Error && error.name === 'AbortError') return 'the service was stopped';
  const code = systemCode(error instanceof Error ? error.cause : undefined);
  return code === undefined ? 'the connection failed' : `the connection failed (${code})`;
}

/** A header is ASCII; a company id need not be. */
function headerKey(alert: Alert): string {
  const { companyID, ...rest } = alert;
  return keyOf({ ...rest, companyID: encodeURIComponent(companyID) });
}

/** `https://user:password@…` is sent as a header: fetch takes no such address. */
function withoutUser(url: URL): { readonly href: string; readonly headers: Readonly<Record<string, string>> } {
  if (url.username === '' && url.password === '') return { href: url.href, headers: {} };
  const plain = new URL(url);
  plain.username = '';
  plain.password = '';
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { href: plain.href, headers: { authorization: `Basic ${Buffer.from(user).toString('base64')}` } };
}
