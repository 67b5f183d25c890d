import axe from 'axe-core';
import { describe, expect, test } from 'vitest';
import { sleep } from '../../src/base/sleep.ts';
import { Alerts } from '../../src/services/alerts/alerts.ts';
import { httpTarget } from '../../src/services/alerts/http-target.ts';
import { AlertReceiver } from '../support/alert-receiver.ts';
import { chromiumPath } from './chromium.ts';
import { dashboardPages, grouped } from './dashboard-pages.ts';
import { NOW, startService } from './dashboard-service.ts';
import { tenantRows } from './tenant-rows.ts';

const executable = chromiumPath();
const ROWS = tenantRows(24, NOW);
/** Whether anything in the upper half of the trend, at its right end, has the colour of its line, #1f6aa5. */
const HAS_MARK = `(() => {
  const [canvas] = [...document.querySelectorAll('.figure')]
    .filter((figure) => figure.querySelector('h2').textContent === 'Trend of the score')
    .map((figure) => figure.querySelector('canvas'));
  const { width, height } = canvas;
  const copy = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  Object.assign(copy.canvas, { width, height });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(width * 0.9, 0, width * 0.1, height * 0.45);
  for (let at = 0; at < data.length; at += 4)
    if (data[at] === 0x1f && data[at + 1] === 0x6a && data[at + 2] === 0xa5) return true;
  return false;
})()`;

describe.skipIf(executable === undefined)(
  'The dashboard live, and when not all is well, in Chromium (apt-get install chromium, or name it in CHROMIUM)',
  () => {
    const at = dashboardPages(ROWS);
    const { open, loaded, ask, stat, figure } = at;

    describe('Live', () => {
      const newest = new Map(ROWS.map((row) => [row.companyID, row]));
      const next = (companyID: string, more: object) => {
        const row = newest.get(companyID);
        if (row === undefined) throw new Error('expected a row');
        const { riskChanged: _, ...rest } = row;
        const changed = {
          ...rest,
          version: row.version + 1,
          eventTime: NOW - 500,
          trigger: 'job' as const,
          nbJobs: 4321,
          ...more,
        };
        newest.set(companyID, changed as typeof row);
        return changed;
      };

      test('a row and a flip show up without reload, and numbers follow', async () => {
        const page = await open('#/live');
        await page.locator('.connection.live').waitFor();
        await page.getByText('Nothing has happened since you opened this page').waitFor();
        await loaded(page);
        const flips = figure(page, 'Risk flips today').first().getByRole('link', { name: 'comp_5' });
        const turned = await flips.count();
        await at.service.ingest([
          next('comp_5', { userID: 'user_live', riskOfChurn: true, riskChanged: 'at-risk', churnProbability: 0.77 }),
        ]);
        await figure(page, 'Enriched companies').first().getByText('4,321 jobs by user_live').waitFor();
        await expect.poll(() => flips.count()).toBe(turned + 1);
        await page.goto(`${at.service.url}/#/jobs`);
        await expect.poll(() => stat(page, 'Jobs today')).toBe(grouped((await ask('overview')).totals.jobsToday));
        const before = await stat(page, 'Jobs today');
        await at.service.ingest([next('comp_5', {})]);
        await expect.poll(() => stat(page, 'Jobs today'), { timeout: 15_000 }).not.toBe(before);
      });

      test('a row that comes while its numbers are on their way is not left out of them', async () => {
        const page = await open('#/jobs');
        await page.locator('.connection.live').waitFor();
        await loaded(page);
        const before = await stat(page, 'Jobs today');
        const overview = '**/api/insights/overview*';
        let asked: () => void = () => undefined;
        const isAsked = new Promise<void>((resolve) => {
          asked = resolve;
        });
        let answer: () => void = () => undefined;
        const isApplied = new Promise<void>((resolve) => {
          answer = resolve;
        });
        let isFirst = true;
        await page.route(overview, async (route) => {
          if (!isFirst) return route.continue();
          isFirst = false;
          const response = await route.fetch();
          asked();
          await isApplied;
          return route.fulfill({ response });
        });
        await at.service.ingest([next('comp_5', {})]);
        await isAsked;
        await at.service.ingest([next('comp_5', {})]);
        const wanted = grouped((await ask('overview')).totals.jobsToday);
        // As long as the page takes to hear of it, and to ask: dropped, since it is asking.
        await new Promise((resolve) => setTimeout(resolve, 5000));
        answer();
        // Else asked again a while after rows cease to come, 20 s and more.
        await expect.poll(() => stat(page, 'Jobs today'), { timeout: 12_000 }).toBe(wanted);
        expect(wanted).not.toBe(before);
      });

      test('paused by hand, and while nobody looks', async () => {
        const page = await open('#/live');
        await page.locator('.connection.live').waitFor();
        await page.getByRole('button', { name: 'Pause' }).click();
        await page.locator('.connection.paused').waitFor();
        await expect.poll(() => at.service.dashboard.feed.readers).toBe(0);
        await page.getByRole('button', { name: 'Resume' }).click();
        await page.locator('.connection.live').waitFor();
        const hide = (hidden: boolean) =>
          page.evaluate(
            `Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${hidden} });
            document.dispatchEvent(new Event('visibilitychange'));`,
          );
        await hide(true);
        await expect.poll(() => at.service.dashboard.feed.readers).toBe(0);
        await hide(false);
        await page.locator('.connection.live').waitFor();
        await expect.poll(() => at.service.dashboard.feed.readers).toBe(1);
      });
    });

    test('a risk flip shows and alerts: on the page, and at the webhook', async () => {
      const receiver = await AlertReceiver.start();
      const stop = new AbortController();
      const store = { open: async () => undefined, commit: async () => undefined };
      const url = new URL(`http://${receiver.host}/hook/s3cret`);
      const targets = [httpTarget({ kind: 'webhook', url }, 10_000, () => NOW)];
      const alerts = await Alerts.open(
        store,
        { targets, quietMs: 0, silentDays: 7, link: '' },
        { now: () => NOW, sleep, random: Math.random, warn: () => undefined },
      );
      const alerting = await startService(ROWS, at.folder, { alerts });
      alerts.caughtUp();
      const source = { url: alerting.url, activity: () => alerting.dashboard.activity(), isAtTip: () => false };
      const run = alerts.run(source, stop.signal);
      try {
        const page = await open('#/risk', {}, alerting);
        await loaded(page);
        await page.locator('.connection.live').waitFor();
        await figure(page, 'Alerts').getByText('Nothing had to be told since').waitFor();
        // One that has not turned today, so that this is its only change.
        const turned = new Set((await ask('risk-changes')).rows.map(({ companyID }) => companyID));
        const last = ROWS.findLast(({ companyID }) => !turned.has(companyID));
        const companyID = last?.companyID ?? '';
        const reasons = [{ feature: 'job30', contribution: 1, text: '1 job in 30 days, typical 140' }];
        const score = { riskOfChurn: true, churnProbability: 0.97, reasons, modelVersion: 'm', scoreStatus: 'scored' };
        await alerting.ingest([{ ...last, ...score, version: 1_000_000, eventTime: NOW, riskChanged: 'at-risk' }]);
        await expect.poll(() => receiver.keys).toEqual([`${companyID}:1000000`]);
        expect(receiver.taken[0]?.body).toMatchObject({
          reasons: ['1 job in 30 days, typical 140'],
          link: `${alerting.url}/#/jobs/${companyID}`,
        });
        const line = figure(page, 'Alerts').locator('tbody tr');
        await line.getByText('sent', { exact: true }).waitFor();
        expect(await line.innerText()).toMatch(/turned at-risk[\s\S]*1 job in 30 days/);
        await figure(page, 'Changed today').getByRole('rowheader', { name: companyID, exact: true }).waitFor();
        expect(await page.content()).not.toContain('s3cret');
        await page.evaluate(axe.source);
        const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
        expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')).toEqual([]);
      } finally {
        stop.abort();
        await run;
        await alerting.stop();
        await receiver.stop();
      }
    });

    test('without an address of alerts the page says how to have some', async () => {
      const page = await open('#/risk');
      await loaded(page);
      await figure(page, 'Alerts').getByText('Start the dashboard with --alert-url').waitFor();
    });

    describe('when not all is well', () => {
      /** Rows are news once. */
      let version = 1_000_000;

      test('before the first company, every view says what is missing', async () => {
        const empty = await startService([], at.folder);
        try {
          for (const view of ['#/customers', '#/jobs', '#/risk', '#/pipeline', '#/live']) {
            const page = await open(view, {}, empty);
            await loaded(page);
            expect(await page.locator('.placeholder').count()).toBeGreaterThan(0);
            expect(await page.locator('main').innerText()).not.toMatch(/NaN|Infinity|undefined|null/);
          }
        } finally {
          await empty.stop();
        }
      });

      test('with rows of one day, its mean probability is to be seen', async () => {
        const today = ROWS.filter(
          ({ eventTime }) => Math.floor(eventTime / 86_400_000) === Math.floor(NOW / 86_400_000),
        );
        const young = await startService(today.slice(0, 1), at.folder);
        try {
          const page = await open('#/risk', {}, young);
          await loaded(page);
          await figure(page, 'Trend of the score').locator('canvas').waitFor();
          // In the upper strip, at the last day: not the lines of the scale alone.
          await expect.poll(() => page.evaluate(HAS_MARK)).toBe(true);
        } finally {
          await young.stop();
        }
      });

      test('while numbers are on their way, it says so', async () => {
        const page = await open('#/live');
        let answer: () => void = () => undefined;
        const held = new Promise<void>((resolve) => {
          answer = resolve;
        });
        await page.route('**/api/insights/**', async (route) => {
          await held;
          await route.continue();
        });
        await page.goto(`${at.service.url}/#/risk`);
        await page.getByText('Loading…').first().waitFor();
        answer();
        await loaded(page);
        expect(await page.getByText('Loading…').count()).toBe(0);
      });

      test('when the service fails, it says so, keeps what it had, and tries again', async () => {
        const page = await open('#/live');
        await page.route('**/api/insights/**', (route) =>
          route.fulfill({ status: 500, json: { message: 'the disk is full' } }),
        );
        await page.goto(`${at.service.url}/#/risk`);
        await page.getByText('The disk is full.').first().waitFor();
        // While it fails still: later the button may go by itself, as the page asks again when rows come.
        const tryAgain = page.getByRole('button', { name: 'Try again' }).first();
        await Promise.all([
          page.waitForRequest('**/api/insights/overview*', { timeout: 10_000 }),
          tryAgain.dispatchEvent('click'),
        ]);
        await page.unroute('**/api/insights/**');
        await at.service.ingest([{ ...ROWS[0], version: ++version, eventTime: NOW - 100 }]);
        await figure(page, 'Tenants by churn probability').locator('tbody th').first().waitFor();
        await page.route('**/api/insights/**', (route) =>
          route.fulfill({ status: 500, json: { message: 'the disk is full' } }),
        );
        await at.service.ingest([{ ...ROWS[0], version: ++version, eventTime: NOW - 100 }]);
        await page.getByText('not newer: the disk is full').first().waitFor();
        expect(await figure(page, 'Tenants by churn probability').locator('tbody th').count()).toBeGreaterThan(0);
      });

      test('a company nobody knows is told as such', async () => {
        const page = await open(`#/jobs/${encodeURIComponent('no <b>such</b> & company')}`);
        await page.getByText('No row of company no <b>such</b> & company is known.').waitFor();
      });

      test('after a restart of the service it connects again by itself', async () => {
        const first = await startService(ROWS, at.folder);
        const { port } = new URL(first.url);
        const page = await open('#/customers', {}, first);
        await loaded(page);
        await page.locator('.connection.live').waitFor();
        await first.stop();
        await page.getByText('The service does not answer.').waitFor();
        expect(await stat(page, 'Tenants')).toBe('24');
        const second = await startService(tenantRows(25, NOW), at.folder, { port: Number(port) });
        try {
          await page.locator('.connection.live').waitFor();
          await page.getByText('The service does not answer.').waitFor({ state: 'detached' });
          await expect.poll(() => stat(page, 'Tenants'), { timeout: 15_000 }).toBe('25');
        } finally {
          await second.stop();
        }
      });
    });
  },
);
