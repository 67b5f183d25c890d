// Webhooks, what takes Slack's messages, and SNS: over real sockets, with servers that are well or ill.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Alert } from '../../src/services/alerts/alert.ts';
import { httpTarget } from '../../src/services/alerts/http-target.ts';
import { snsTarget } from '../../src/services/alerts/sns-target.ts';
import { targetAddress } from '../../src/services/alerts/target.ts';

const LINK = 'https://dashboard.example.com/';
const TIMEOUT_MS = 20_000;
const never = new AbortController().signal;
const alert: Alert = {
  id: 1,
  companyID: 'ü <a|b> & co',
  version: 17,
  change: 'at-risk',
  at: Date.UTC(2026, 10, 22),
  raisedAt: Date.UTC(2026, 10, 22, 1),
  industry: 'retail',
  monthlyFee: 1461,
  churnProbability: 0.82,
  reasons: ['3 jobs in 30 days,\n typical <120>'],
  merged: 2,
};

interface Asked {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers with this status, or never. */
async function serverOf(answer: { status?: number; headers?: Record<string, string>; body?: string } | 'hangs') {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      asked.push({ url: request.url ?? '', headers: request.headers, body });
      if (answer === 'hangs') return;
      response.writeHead(answer.status ?? 200, answer.headers).end(answer.body ?? '');
    });
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { asked, host: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function http(text: string, timeoutMs = TIMEOUT_MS) {
  const address = targetAddress(text, 'auto');
  if (address.kind === 'sns') throw new Error('expected an address of HTTP');
  return httpTarget(address, timeoutMs, Date.now);
}

test('a webhook gets what happened, with its key as a header, and the secret of its address', async () => {
  const { asked, host } = await serverOf({ status: 204 });
  expect(await http(`http://user:pass@${host}/hook?token=s3cret`).send(alert, LINK, never)).toEqual({ kind: 'sent' });
  const [{ url, headers, body } = { url: '', headers: {}, body: '' }] = asked;
  expect(url).toBe('/hook?token=s3cret');
  expect(headers['idempotency-key']).toBe('%C3%BC%20%3Ca%7Cb%3E%20%26%20co:17');
  expect(headers.authorization).toBe(`Basic ${Buffer.from('user:pass').toString('base64')}`);
  expect(JSON.parse(body)).toEqual({
    key: 'ü <a|b> & co:17',
    companyID: 'ü <a|b> & co',
    version: 17,
    change: 'at-risk',
    reasons: ['3 jobs in 30 days,\n typical <120>'],
    churnProbability: 0.82,
    monthlyFee: 1461,
    industry: 'retail',
    at: '2026-11-22T00:00:00.000Z',
    raisedAt: '2026-11-22T01:00:00.000Z',
    merged: 2,
    link: 'https://dashboard.example.com/#/jobs/%C3%BC%20%3Ca%7Cb%3E%20%26%20co',
  });
});

test('what takes Slack messages gets one, in which no id or reason can make a link or a line', async () => {
  const { asked, host } = await serverOf({ body: 'ok' });
  expect(await http(`slack+http://${host}/services/T/B/x`).send(alert, LINK, never)).toEqual({ kind: 'sent' });
  const { text } = JSON.parse(asked[0]?.body ?? '') as { text: string };
  expect(text.split('\n')).toEqual([
    '*<https://dashboard.example.com/#/jobs/%C3%BC%20%3Ca%7Cb%3E%20%26%20co|ü &lt;a∣b&gt; &amp; co>* turned at-risk (churn probability 82 %, monthly fee 1,461, retail)',
    '• 3 jobs in 30 days, typical &lt;120&gt;',
    '2 earlier changes were not told by themselves.',
  ]);
});

test.each([
  ['https://hooks.slack.com/services/T/B/x', 'auto', 'slack'],
  ['https://hooks.slack.com/services/T/B/x', 'json', 'webhook'],
  ['https://example.com/x', 'auto', 'webhook'],
  ['https://example.com/x', 'slack', 'slack'],
  ['slack+https://example.com/x', 'json', 'slack'],
  ['arn:aws:sns:eu-central-1:123456789012:alerts.fifo', 'auto', 'sns'],
] as const)('%s with the format %s is %s', (text, format, kind) => {
  expect(targetAddress(text, format).kind).toBe(kind);
});

test.each([
  'ftp://s3cret',
  'hooks.slack.com/s3cret',
  'https://',
  'slack+s3cret',
  'arn:aws:sqs:eu-west-1:123456789012:s3cret',
  '',
])('an address that is none is refused, and not shown: %s', (text) => {
  let message = '';
  try {
    targetAddress(text, 'auto');
  } catch (error) {
    message = String(error);
  }
  expect(message).toContain('expected https://');
  expect(message).not.toContain('s3cret');
});

test.each([
  [{ status: 503 }, { kind: 'failed', problem: 'it answers 503', retryAfterMs: 0 }],
  [
    { status: 429, headers: { 'retry-after': '7' } },
    { kind: 'failed', problem: 'it answers 429', retryAfterMs: 7000 },
  ],
  [
    { status: 429, headers: { 'retry-after': '99999999' } },
    { kind: 'failed', problem: 'it answers 429', retryAfterMs: 3_600_000 },
  ],
  [{ status: 408 }, { kind: 'failed', problem: 'it answers 408', retryAfterMs: 0 }],
  [
    { status: 404, body: 'no_service s3cret' },
    { kind: 'refused', problem: 'it answers 404' },
  ],
  [
    { status: 302, headers: { location: 'http://127.0.0.1:1/s3cret' } },
    { kind: 'refused', problem: 'it answers 302, which sends us elsewhere: name that address' },
  ],
])('an answer of %j ends as it says', async (answer, outcome) => {
  const { host } = await serverOf(answer);
  expect(await http(`http://${host}/s3cret`).send(alert, LINK, never)).toEqual(outcome);
});

test('one that hangs is given up after its time, one that is not there fails; neither tells the address', async () => {
  const { host } = await serverOf('hangs');
  const slow = await http(`http://${host}/s3cret`, 50).send(alert, LINK, never);
  expect(slow).toEqual({ kind: 'failed', problem: 'no answer within 50 ms', retryAfterMs: 0 });
  const gone = await serverOf({});
  open.pop()?.close();
  const outcome = await http(`http://${gone.host}/s3cret`).send(alert, LINK, never);
  expect(outcome).toEqual({ kind: 'failed', problem: 'the connection failed (ECONNREFUSED)', retryAfterMs: 0 });
});

test('an attempt that hangs ends with the service', async () => {
  const { host, asked } = await serverOf('hangs');
  const stop = new AbortController();
  const sending = http(`http://${host}/`).send(alert, LINK, stop.signal);
  await expect.poll(() => asked.length).toBe(1);
  stop.abort();
  expect(await sending).toMatchObject({ kind: 'failed', problem: 'the service was stopped' });
});

const PUBLISHED = `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m-1</MessageId></PublishResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></PublishResponse>`;
const errorOf = (code: string) =>
  `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`;

function sns(topic: string, host: string, timeoutMs = TIMEOUT_MS) {
  const address = targetAddress(`arn:aws:sns:eu-central-1:123456789012:${topic}`, 'auto');
  if (address.kind !== 'sns') throw new Error('expected a topic');
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return snsTarget(address, timeoutMs, { endpoint: `http://${host}`, credentials });
}

test('a topic gets the same message, with attributes to filter by; a FIFO topic drops repeats by the key', async () => {
  const { asked, host } = await serverOf({ headers: { 'content-type': 'text/xml' }, body: PUBLISHED });
  for (const topic of ['alerts', 'alerts.fifo']) {
    const target = sns(topic, host);
    expect(await target.send(alert, LINK, never)).toEqual({ kind: 'sent' });
    target.close();
  }
  const [plain, fifo] = asked.map(({ body }) => new URLSearchParams(body));
  expect(plain?.get('TopicArn')).toBe('arn:aws:sns:eu-central-1:123456789012:alerts');
  expect(JSON.parse(plain?.get('Message') ?? '')).toMatchObject({ companyID: alert.companyID, version: 17 });
  expect(plain?.toString()).toContain('at-risk');
  expect(plain?.get('MessageAttributes.entry.1.Name')).toBe('companyID');
  expect(plain?.get('MessageGroupId')).toBeNull();
  expect(fifo?.get('MessageGroupId')).toMatch(/^[0-9a-f]{64}$/);
  expect(fifo?.get('MessageDeduplicationId')).toMatch(/^[0-9a-f]{64}$/);
  expect(fifo?.get('MessageDeduplicationId')).not.toBe(fifo?.get('MessageGroupId'));
});

test.each([
  [503, 'ServiceUnavailable', 'failed'],
  [400, 'Throttling', 'failed'],
  [403, 'ExpiredToken', 'failed'],
  [404, 'NotFound', 'refused'],
  [403, 'AuthorizationError', 'refused'],
])('%i %s of SNS is %s', async (status, code, kind) => {
  const { host } = await serverOf({ status, headers: { 'content-type': 'text/xml' }, body: errorOf(code) });
  const target = sns('alerts', host);
  expect(await target.send(alert, LINK, never)).toMatchObject({
    kind,
    problem: expect.stringContaining(String(status)),
  });
  target.close();
});

test('a topic that hangs is given up after its time', async () => {
  const { host } = await serverOf('hangs');
  const target = sns('alerts', host, 100);
  expect(await target.send(alert, LINK, never)).toMatchObject({ kind: 'failed' });
  target.close();
});
