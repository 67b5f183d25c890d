// The dashboard's feed over real sockets.
import { request } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { companyNewsSchema, flipSchema, statusSchema } from '../../src/services/dashboard/insights-schema.ts';
import { type RunningDashboardService, startDashboard } from '../../src/services/dashboard/start.ts';
import { bytes, NOW, row, scored } from '../support/dashboard-rows.ts';

interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function started(): Promise<RunningDashboardService> {
  const service = await startDashboard(
    { port: 0, flag: '--port', webFolder: '/nowhere' },
    { now: () => NOW, warn: () => undefined },
  );
  closing.push(() => service.stop());
  return service;
}

/** Reads the feed until it is told to stop. */
class Reader {
  readonly events: Event[] = [];
  readonly headers: Promise<Record<string, unknown>>;
  readonly ended: Promise<void>;
  readonly #request;

  constructor(url: string, lastEventID?: string) {
    const headers = lastEventID === undefined ? {} : { 'last-event-id': lastEventID };
    this.#request = request(`${url}/api/feed`, { headers, agent: false });
    let tell: (headers: Record<string, unknown>) => void = () => undefined;
    this.headers = new Promise((resolve) => {
      tell = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#request.on('error', () => resolve());
      this.#request.on('response', (response) => {
        tell(response.headers);
        let rest = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          const blocks = (rest + text).split('\n\n');
          rest = blocks.pop() ?? '';
          for (const block of blocks) if (block.includes('data: ')) this.events.push(eventOf(block));
        });
        response.on('error', () => resolve());
        response.on('close', () => resolve());
      });
    });
    this.#request.end();
    closing.push(() => this.stop());
  }

  async until(what: string, isSo: (events: readonly Event[]) => boolean): Promise<void> {
    const patience = Date.now() + 20_000;
    while (!isSo(this.events)) {
      if (Date.now() > patience) throw new Error(`${what} did not come; came: ${JSON.stringify(this.events)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  stop(): void {
    this.#request.destroy();
  }
}

function eventOf(block: string): Event {
  const fields = new Map(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
  );
  return { id: fields.get('id') ?? '', event: fields.get('event') ?? '', data: JSON.parse(fields.get('data') ?? '') };
}

const has = (event: string) => (events: readonly Event[]) => events.some((each) => each.event === event);

test('who reads the feed is told the status at once, then each company and each flip as rows come', async () => {
  const { url, dashboard } = await started();
  const reader = new Reader(url);
  await reader.until('the status', has('status'));
  expect(await reader.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': expect.stringContaining("default-src 'self'"),
  });
  expect(statusSchema.parse(reader.events[0]?.data)).toMatchObject({ tenants: 0, rows: 0 });
  dashboard.ingest(bytes(scored(row({ companyID: 'line\nbreak' }), 0.9, { riskChanged: 'at-risk' })));
  await reader.until('the flip', has('flip'));
  const of = (event: string) => reader.events.find((each) => each.event === event)?.data;
  expect(companyNewsSchema.parse(of('company'))).toMatchObject({
    companyID: 'line\nbreak',
    churnProbability: 0.9,
    nbJobs: 1,
  });
  expect(flipSchema.parse(of('flip'))).toMatchObject({ companyID: 'line\nbreak', change: 'at-risk' });
});

test('rows that come again are no news', async () => {
  const { url, dashboard } = await started();
  const reader = new Reader(url);
  await reader.until('the status', has('status'));
  for (const version of [1, 2, 1, 2, 1]) {
    dashboard.ingest(bytes(scored(row({ version }), 0.9, { riskChanged: 'at-risk' })));
    await dashboard.applied();
  }
  dashboard.ingest(bytes(row({ companyID: 'last' })));
  await reader.until('the last', (events) => events.some(({ data }) => data.companyID === 'last'));
  const told = reader.events
    .filter(({ event }) => event !== 'status')
    .map(({ event, data }) => [event, data.companyID, data.version]);
  expect(told).toEqual([
    ['company', 'comp_1', 1],
    ['flip', 'comp_1', 1],
    ['company', 'comp_1', 2],
    ['flip', 'comp_1', 2],
    ['company', 'last', 1],
  ]);
});

test('who comes back with the last id is told what it missed, once; with an id of another run, only what is new', async () => {
  const { url, dashboard } = await started();
  const first = new Reader(url);
  await first.until('the status', has('status'));
  dashboard.ingest(bytes(row({ companyID: 'seen' })));
  await first.until('a company', has('company'));
  const last = first.events.at(-1)?.id ?? '';
  const second = new Reader(url);
  await second.until('the status', has('status'));
  first.stop();
  for (const companyID of ['missed_1', 'missed_2']) {
    dashboard.ingest(bytes(row({ companyID })));
    await dashboard.applied();
  }
  await second.until('both', (events) => events.filter(({ event }) => event === 'company').length === 2);
  const companiesOf = (reader: Reader) =>
    reader.events.filter(({ event }) => event === 'company').map(({ data }) => data.companyID);
  const back = new Reader(url, last);
  await back.until('the status', has('status'));
  expect(companiesOf(back)).toEqual(['missed_1', 'missed_2']);
  const stranger = new Reader(url, `x${last}`);
  await stranger.until('the status', has('status'));
  expect(companiesOf(stranger)).toEqual([]);
});

test('many changes at once are told in part, and the status says how many were not', async () => {
  const { url, dashboard } = await started();
  const reader = new Reader(url);
  await reader.until('the status', has('status'));
  for (let index = 0; index < 500; index++) dashboard.ingest(bytes(row({ companyID: `comp_${index}` })));
  await dashboard.applied();
  await reader.until('companies', has('company'));
  const { companiesNotShown, tenants } = await dashboard.status();
  const shown = new Set(reader.events.filter(({ event }) => event === 'company').map(({ data }) => data.companyID));
  await reader.until('the rest', () => true);
  expect(tenants).toBe(500);
  expect(companiesNotShown).toBeGreaterThan(0);
  expect(shown.size).toBeLessThanOrEqual(500 - companiesNotShown);
});

test('the dashboard stops while its feed is read', async () => {
  const service = await startDashboard(
    { port: 0, flag: '--port', webFolder: '/nowhere' },
    { now: () => NOW, warn: () => undefined },
  );
  const reader = new Reader(service.url);
  await reader.until('the status', has('status'));
  await service.stop();
  await reader.ended;
});
