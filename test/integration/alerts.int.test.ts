// Alerts of the dashboard over a real stream, real files and a real webhook that is ill; the service restarted in between.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { insightsCommand } from '../../src/cli/insights.ts';
import { awsKinesis } from '../../src/connectors/kinesis/aws-kinesis.ts';
import type { KinesisApi } from '../../src/connectors/kinesis/kinesis-api.ts';
import { NO_ALERTS } from '../../src/hosts/node/alerts.ts';
import { openDashboard, type RunningDashboard } from '../../src/hosts/node/dashboard.ts';
import { nodeWorld } from '../../src/hosts/node/node-world.ts';
import { alertsSchema } from '../../src/services/dashboard/insights-schema.ts';
import { AlertReceiver } from '../support/alert-receiver.ts';
import { type Row, row, scored } from '../support/dashboard-rows.ts';
import { LOCAL_REGION, type LocalKinesis, startLocalKinesis } from '../support/local-kinesis.ts';
import { put } from '../support/stream-contents.ts';
import { temporaryFolder } from './folders.ts';
import { oneLine, run } from './program.ts';

const SECRET = 's3cret-token';

let kinesis: LocalKinesis;
let api: KinesisApi;
beforeAll(async () => {
  kinesis = await startLocalKinesis();
  api = awsKinesis({ region: LOCAL_REGION, endpoint: kinesis.endpoint });
});
afterAll(async () => {
  api?.close();
  await kinesis?.stop();
});

const running: (RunningDashboard | AlertReceiver)[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

let streams = 0;
async function place() {
  const stream = `alerts-${streams++}`;
  await kinesis.createStream(stream, 1);
  const receiver = await AlertReceiver.start();
  running.push(receiver);
  const folder = await temporaryFolder();
  const rows = `${folder}/rows`;
  await mkdir(`${rows}/dt=2026-11-22`, { recursive: true });
  return { stream, receiver, folder, rows, warnings: [] as string[] };
}
type Place = Awaited<ReturnType<typeof place>>;

async function opened(
  { stream, receiver, folder, rows, warnings }: Place,
  quietHours = 0,
  sendsRefused = false,
): Promise<RunningDashboard> {
  const dashboard = await openDashboard(
    {
      ...{ port: 0, flag: '--port', rowsFolder: rows, stream, webFolder: '/nowhere' },
      alerts: {
        ...NO_ALERTS,
        urls: [`http://${receiver.host}/hook/${SECRET}`],
        folder: `${folder}/alerts`,
        quietHours,
        sendsRefused,
      },
    },
    api,
    nodeWorld((message) => void warnings.push(message)),
  );
  running.push(dashboard);
  return dashboard;
}

async function stopped(dashboard: RunningDashboard): Promise<void> {
  running.splice(running.indexOf(dashboard), 1);
  await dashboard.stop();
}

/** A row on which the risk of a company flipped, of a moment after all starts. */
function flipped(companyID: string, version: number, change: 'at-risk' | 'recovered' = 'at-risk'): Row {
  const eventTime = Date.now() + 60_000;
  return scored(row({ companyID, version, eventTime }), change === 'at-risk' ? 0.9 : 0.1, { riskChanged: change });
}

async function sent({ stream }: Place, ...rows: readonly Row[]): Promise<void> {
  await put(
    api,
    stream,
    rows.map((one) => ({ partitionKey: one.companyID, data: JSON.stringify(one) })),
  );
}

async function report({ url }: RunningDashboard) {
  const response = await fetch(`${url}/api/insights/alerts`);
  return alertsSchema.parse(await response.json());
}

async function alertMetrics({ url }: RunningDashboard): Promise<string[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text.split('\n').filter((line) => line.startsWith('alerts_'));
}

test('a flip on the stream arrives at the webhook, with its reasons and its key, and is in the API', async () => {
  const at = await place();
  const dashboard = await opened(at);
  await sent(at, row({ companyID: 'a', version: 1 }), flipped('a', 2));
  await expect.poll(() => at.receiver.keys).toEqual(['a:2']);
  expect(at.receiver.taken[0]?.body).toMatchObject({
    companyID: 'a',
    version: 2,
    change: 'at-risk',
    reasons: ['3 jobs in 30 days, typical 120'],
    churnProbability: 0.9,
    monthlyFee: 461,
    link: `${dashboard.url}/#/jobs/a`,
  });
  await expect.poll(async () => (await report(dashboard)).totals).toMatchObject({ isOn: true, sent: 1, waiting: 0 });
  const { rows, targets } = await report(dashboard);
  expect(rows).toMatchObject([{ companyID: 'a', change: 'at-risk', state: 'sent', version: 2, attempts: 1 }]);
  expect(targets).toMatchObject([{ name: `webhook ${at.receiver.host}`, problem: '' }]);
  const csv = await (await fetch(`${dashboard.url}/api/insights/alerts?format=csv`)).text();
  expect(csv).toContain('a,at-risk,sent,');
  expect(await alertMetrics(dashboard)).toEqual([
    'alerts_sent_total 1',
    'alerts_refused_total 0',
    'alerts_failed_attempts_total 0',
    `alerts_waiting{target="webhook ${at.receiver.host}"} 0`,
    'alerts_held 0',
  ]);
});

test('a webhook that fails, hangs and comes back gets each alert once, over restarts, and those of while it was down', async () => {
  const at = await place();
  at.receiver.answer = 503;
  const first = await opened(at);
  await sent(at, flipped('a', 1), flipped('b', 1));
  await expect.poll(() => at.receiver.asked).toBeGreaterThanOrEqual(1);
  await expect.poll(async () => (await report(first)).targets[0]?.problem).toBe('it answers 503');
  await expect.poll(() => alertMetrics(first)).toContain(`alerts_waiting{target="webhook ${at.receiver.host}"} 2`);
  expect((await alertMetrics(first)).join('\n')).toMatch(
    /^alerts_failing_since_seconds\{target="webhook \S+"\} \d{10}\b/m,
  );
  await stopped(first);
  // By the stream alone, and by files alone.
  await sent(at, flipped('a', 2, 'recovered'));
  await writeFile(`${at.rows}/dt=2026-11-22/part-1.jsonl`, `${JSON.stringify(flipped('c', 7))}\n`);
  at.receiver.answer = 'hangs';
  const asked = at.receiver.asked;
  const second = await opened(at);
  await expect.poll(() => at.receiver.asked).toBeGreaterThan(asked);
  expect((await report(second)).totals.sent).toBe(0);
  await stopped(second);
  at.receiver.answer = 200;
  const third = await opened(at);
  await expect.poll(() => at.receiver.taken.length).toBe(4);
  await expect.poll(async () => (await report(third)).totals.waiting).toBe(0);
  await stopped(third);
  const fourth = await opened(at);
  await fourth.caughtUp;
  await sent(at, flipped('d', 1));
  await expect.poll(() => at.receiver.taken.length).toBe(5);
  expect([...at.receiver.keys].sort()).toEqual(['a:1', 'a:2', 'b:1', 'c:7', 'd:1']);
  expect(at.receiver.keys.indexOf('a:1')).toBeLessThan(at.receiver.keys.indexOf('a:2'));
  const shown = JSON.stringify(await report(fourth));
  await stopped(fourth);
  // What could tell of the address: what was said, what is shown, what is kept.
  const kept: string[] = [];
  for (const entry of await readdir(`${at.folder}/alerts`, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) kept.push(await readFile(`${entry.parentPath}/${entry.name}`, 'latin1'));
  }
  const told = [at.warnings.join('\n'), shown, ...kept].join('\n');
  expect(told).toContain(at.receiver.host);
  expect(told).not.toContain(SECRET);
});

test('what a webhook refused is sent once more at a start that asks for it', async () => {
  const at = await place();
  at.receiver.answer = 404;
  const first = await opened(at);
  await sent(at, flipped('a', 1));
  await expect.poll(async () => (await report(first)).totals).toMatchObject({ refused: 1, sent: 0, waiting: 0 });
  expect(at.warnings.join('\n')).toContain('then start with --alert-refused');
  await stopped(first);
  at.receiver.answer = 200;
  const second = await opened(at);
  await second.caughtUp;
  expect((await report(second)).totals).toMatchObject({ refused: 1, waiting: 0 });
  await stopped(second);
  const third = await opened(at, 0, true);
  await expect.poll(() => at.receiver.keys).toEqual(['a:1']);
  await expect.poll(async () => (await report(third)).totals).toMatchObject({ refused: 0, sent: 1, waiting: 0 });
});

test('a second service is kept out of the folder of the alerts, and the first goes on', async () => {
  const at = await place();
  const first = await opened(at);
  await expect(opened(at)).rejects.toMatchObject({ code: 'LOCKED' });
  await sent(at, flipped('a', 1));
  await expect.poll(() => at.receiver.keys).toEqual(['a:1']);
  await stopped(first);
  await opened(at);
});

test('within the quiet period the second alert of a tenant is held, and the terminal shows it', async () => {
  const at = await place();
  const dashboard = await opened(at, 24);
  await sent(at, flipped('a', 1));
  await expect.poll(() => at.receiver.keys).toEqual(['a:1']);
  await sent(at, flipped('a', 2, 'recovered'), flipped('b', 1));
  await expect.poll(() => at.receiver.keys).toEqual(['a:1', 'b:1']);
  await expect.poll(async () => (await report(dashboard)).totals).toMatchObject({ held: 1, sent: 2, quietHours: 24 });
  expect((await report(dashboard)).rows[0]).toMatchObject({ companyID: 'a', change: 'recovered', state: 'held' });
  const lines: string[] = [];
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
    lines.push(String(chunk));
    const done = rest.find((each) => typeof each === 'function') as (() => void) | undefined;
    done?.();
    return true;
  }) as typeof process.stdout.write;
  try {
    await insightsCommand().parseAsync(['alerts', '--url', dashboard.url], { from: 'user' });
  } finally {
    process.stdout.write = write;
  }
  expect(lines.join('')).toMatch(/a +recovered +held/);
});

test('without an address there are no alerts, and the API says so', async () => {
  const { stream } = await place();
  const dashboard = await openDashboard(
    { port: 0, flag: '--port', rowsFolder: '', stream, webFolder: '/nowhere' },
    api,
    nodeWorld(() => undefined),
  );
  running.push(dashboard);
  expect(await report(dashboard)).toMatchObject({ totals: { isOn: false, since: null }, rows: [], targets: [] });
  const { insights } = (await (await fetch(`${dashboard.url}/api/insights`)).json()) as {
    insights: { name: string }[];
  };
  expect(insights.map(({ name }) => name)).not.toContain('alerts');
});

test.each(['start', 'dashboard'])('%s refuses an address that is none without showing it', async (command) => {
  const folder = await temporaryFolder();
  const place = command === 'start' ? ['--folder', folder] : ['--alerts-folder', `${folder}/alerts`];
  const ports = command === 'start' ? ['--kinesis-port', '0', '--dashboard-port', '0', '--metrics-port', '0'] : [];
  const more = command === 'start' ? ['--tenant-manager-port', '0', '--churn-scoring-port', '0'] : ['--port', '0'];
  const ended = await run(command, ...place, ...ports, ...more, '--alert-url', `hooks.example.com/${SECRET}`);
  expect(ended.code).toBe(2);
  expect(oneLine(ended.stderr)).toContain('expected https://');
  expect(ended.stdout + ended.stderr).not.toContain(SECRET);
});
