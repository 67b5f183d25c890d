import { readFileSync } from 'node:fs';
import axe from 'axe-core';
// biome-ignore lint/correctness/noUnresolvedImports: Biome does not follow the re-exports of this package.
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sleep } from '../../src/base/sleep.ts';
import { Alerts } from '../../src/services/alerts/alerts.ts';
import { httpTarget } from '../../src/services/alerts/http-target.ts';
import type { InsightAnswer, InsightName } from '../../src/services/dashboard/insights-schema.ts';
import { AlertReceiver } from '../support/alert-receiver.ts';
import { chromiumPath, launchChromium } from './chromium.ts';
import {
  type BuiltPage,
  buildPage,
  type DashboardService,
  NOW,
  startMetrics,
  startService,
} from './dashboard-service.ts';
import { tenantRows } from './tenant-rows.ts';

const executable = chromiumPath();
const VIEWS = ['#/customers', '#/customers/finance', '#/jobs', '#/jobs/comp_2', '#/risk', '#/pipeline', '#/live'];
const ROWS = tenantRows(24, NOW);

describe.skipIf(executable === undefined)(
  'The dashboard in Chromium (apt-get install chromium, or name it in CHROMIUM)',
  () => {
    let built: BuiltPage;
    let service: DashboardService;
    let metrics: Awaited<ReturnType<typeof startMetrics>>;
    let browser: Browser;
    let pages: Page[] = [];
    let complaints: string[] = [];

    beforeAll(async () => {
      built = await buildPage();
      metrics = await startMetrics();
      service = await startService(ROWS, built.folder, { pipeline: { metricsUrl: metrics.url } });
      browser = await launchChromium(executable ?? '');
    });
    afterAll(async () => {
      await browser?.close();
      await service?.stop();
      await metrics?.stop();
      await built?.remove();
    });
    afterEach(async () => {
      for (const page of pages) await page.context().close();
      pages = [];
      const found = complaints;
      complaints = [];
      // What the page, or its content security policy, complains of; and what it asked for elsewhere.
      expect(found).toEqual([]);
    });

    async function open(hash: string, options: BrowserContextOptions = {}, at = service): Promise<Page> {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 800 },
        reducedMotion: 'reduce',
        ...options,
      });
      const page = await context.newPage();
      pages.push(page);
      page.setDefaultTimeout(20_000);
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        const isExpected = /Failed to load resource|ERR_/.test(message.text());
        if (['error', 'warning'].includes(message.type()) && !isExpected) complaints.push(message.text());
      });
      page.on('request', (request) => {
        if (!request.url().startsWith(at.url) && !request.url().startsWith('blob:')) complaints.push(request.url());
      });
      await page.goto(`${at.url}/${hash}`);
      return page;
    }

    async function loaded(page: Page): Promise<void> {
      await page.locator('.figure').first().waitFor();
      await expect.poll(() => page.locator('[aria-busy="true"]').count(), { timeout: 20_000 }).toBe(0);
    }

    async function ask<N extends InsightName>(name: N, query = ''): Promise<InsightAnswer<N>> {
      const response = await fetch(`${service.url}/api/insights/${name}?${query}`);
      return (await response.json()) as InsightAnswer<N>;
    }

    function stat(page: Page, name: string): Promise<string> {
      return page
        .locator('.stat', { has: page.getByText(name, { exact: true }) })
        .locator('.value')
        .innerText();
    }

    const grouped = (value: number) => value.toLocaleString('en-US');
    const figure = (page: Page, title: string) => page.getByRole('region', { name: title, exact: true });

    test('Customers: tenants, fees and industries are those of the service', async () => {
      const { totals, rows } = await ask('customers-by-industry');
      const page = await open('');
      await loaded(page);
      expect(await stat(page, 'Tenants')).toBe(grouped(totals.tenants));
      expect(await stat(page, 'Monthly fees')).toBe(grouped(totals.monthlyFee));
      expect(await stat(page, 'Total fees so far')).toBe(grouped(totals.totalFee));
      const names = await figure(page, 'Tenants by industry').locator('.legend tbody th').allInnerTexts();
      expect(names.map((name) => name.trim())).toEqual(rows.map((row) => row.industry));
      for (const title of [
        'Monthly fee per company',
        'Revenue per company',
        'Employees per company',
        'Total fee per company',
      ]) {
        await figure(page, title).locator('canvas').waitFor();
      }
    });

    test('Jobs: the numbers of today, the least active, and who is idle are those of the service', async () => {
      const { totals } = await ask('overview');
      const least = await ask('least-active', 'by=job90');
      const page = await open('#/jobs');
      await loaded(page);
      expect(await stat(page, 'Jobs today')).toBe(grouped(totals.jobsToday));
      expect(await stat(page, 'Jobs, 90 days')).toBe(grouped(totals.job90));
      await figure(page, 'Fewest jobs').getByRole('button', { name: '90 days' }).click();
      await expect
        .poll(() => figure(page, 'Fewest jobs').locator('tbody th').allInnerTexts())
        .toEqual(least.rows.map((row) => row.companyID));
      await figure(page, 'Submissions by month').getByRole('button', { name: 'Quarter' }).click();
      await figure(page, 'Submissions by quarter').locator('canvas').waitFor();
      const idle = await ask('idle');
      expect(await figure(page, 'Idle since').locator('tbody th').first().innerText()).toBe(idle.rows[0]?.companyID);
    });

    test('Jobs: a company is opened by its id, and shows its jobs, ranks, score and users', async () => {
      const { totals } = await ask('company-peers', 'companyID=comp_2');
      const page = await open('#/jobs');
      await page.getByLabel('Company', { exact: true }).fill('comp_2');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { level: 1, name: 'comp_2' }).waitFor();
      await loaded(page);
      expect(await stat(page, 'Jobs, 30 days')).toBe(grouped(totals.job30));
      expect(await page.locator('.stats').innerText()).toContain(`rank ${totals.rank90} of ${totals.companies}`);
      const users = await ask('company-users', 'companyID=comp_2');
      expect(await stat(page, 'Active users, 30 days')).toBe(grouped(users.totals.activeUsers));
      for (const title of ['Jobs and data per day', 'Against others in gov', 'Churn probability']) {
        await figure(page, title).locator('canvas').waitFor();
      }
    });

    test('Risk: tenants come by probability, with reasons in words', async () => {
      const { totals } = await ask('overview');
      const risk = await ask('churn-risk');
      const page = await open('#/risk');
      await loaded(page);
      expect(await stat(page, 'At risk')).toBe(grouped(totals.atRisk));
      expect(await stat(page, 'Unscored')).toBe(grouped(totals.unscored));
      const first = figure(page, 'Tenants by churn probability').locator('tbody tr').first();
      expect(await first.locator('th').innerText()).toBe(risk.rows[0]?.companyID);
      expect(await first.locator('li').allInnerTexts()).toEqual(risk.rows[0]?.reasons);
      await figure(page, 'Revenue at risk by industry').locator('canvas').waitFor();
    });

    test('Pipeline: the metrics of the application; where they are not told, there is no such view', async () => {
      const page = await open('#/customers');
      await page.getByRole('link', { name: 'Pipeline' }).click();
      await loaded(page);
      await page.getByText('All metrics').click();
      const first = figure(page, 'Metrics of the application').locator('tbody tr').first();
      expect(await first.innerText()).toMatch(/rows_total\s+sink="rows"\s+12,345\s+counter\s+Rows made, by sink/);
      const without = await startService([], built.folder);
      try {
        const other = await open('#/customers', {}, without);
        await Promise.all([other.locator('.connection.live').waitFor(), other.waitForResponse(/api\/insights$/)]);
        expect(await other.getByRole('link', { name: 'Pipeline' }).count()).toBe(0);
      } finally {
        await without.stop();
      }
    });

    test('an industry leads to its companies, and back', async () => {
      const page = await open('#/customers');
      await page.getByRole('link', { name: 'finance' }).first().click();
      await page.getByRole('heading', { level: 1, name: 'finance' }).waitFor();
      await loaded(page);
      const { rows } = await ask('companies', 'industry=finance');
      expect(await figure(page, 'Companies in finance').locator('tbody th').allInnerTexts()).toEqual(
        rows.map((row) => row.companyID),
      );
      await page.getByRole('link', { name: '← Customers' }).click();
      await page.getByRole('heading', { level: 1, name: 'Customers' }).waitFor();
      await page.goBack();
      await page.getByRole('heading', { level: 1, name: 'finance' }).waitFor();
      expect(await page.title()).toBe('finance · Customers · Tenant analytics');
    });

    test('the slice of an industry leads to its companies, too', async () => {
      const page = await open('#/customers');
      await loaded(page);
      const chart = figure(page, 'Tenants by industry').locator('.chart');
      const box = await chart.boundingBox();
      if (box === null) throw new Error('expected a chart');
      // The first slice begins at twelve and goes clockwise.
      const ring = Math.min(box.width, box.height) * 0.38;
      await chart.locator('canvas').waitFor();
      await page.mouse.click(box.x + box.width / 2 + ring * 0.3, box.y + box.height / 2 - ring * 0.95);
      const { rows } = await ask('customers-by-industry');
      await page.getByRole('heading', { level: 1, name: rows[0]?.industry ?? '' }).waitFor();
    });

    test('each chart shows its numbers as a table, sorts them, and hands them over as CSV', async () => {
      const { rows } = await ask('batches-per-day', 'days=90');
      const page = await open('#/jobs');
      await loaded(page);
      const days = figure(page, 'Batches and jobs per day');
      await days.getByRole('button', { name: /^Table/ }).click();
      expect(await days.locator('tbody tr').first().locator('th, td').first().innerText()).toBe(rows[0]?.day);
      await days.getByRole('button', { name: 'Jobs', exact: true }).click();
      const most = Math.max(...rows.map((row) => row.jobs));
      expect(await days.locator('tbody tr').first().locator('td').first().innerText()).toBe(grouped(most));
      expect(await days.locator('th[aria-sort="descending"]').innerText()).toContain('Jobs');
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        days.getByRole('button', { name: /^CSV/ }).click(),
      ]);
      expect(download.suggestedFilename()).toBe('batches-per-day.csv');
      const lines = readFileSync(await download.path(), 'utf8').split('\r\n');
      expect(lines[0]).toBe('Day (UTC),Jobs,Batches,Data (bytes),Companies');
      const first = rows[0];
      expect(lines[1]).toBe([first?.day, first?.jobs, first?.batches, first?.dataSize, first?.companies].join());
      expect(lines.filter(Boolean)).toHaveLength(1 + rows.length);
    });

    test('every chart and table says as of when it is', async () => {
      for (const view of VIEWS.slice(0, 6)) {
        const page = await open(view);
        await loaded(page);
        const figures = await page.locator('.figure').count();
        expect(await page.locator('.figure .as-of').getByText('As of 2026-11-22 19:07:46 UTC').count()).toBe(figures);
      }
    });

    test('dark as the system asks, switched by hand, and kept', async () => {
      const page = await open('#/customers', { colorScheme: 'dark' });
      await loaded(page);
      const ground = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      const dark = await ground();
      await page.getByRole('button', { name: 'Dark theme' }).click();
      const light = await ground();
      expect(light).not.toBe(dark);
      await page.reload();
      await loaded(page);
      expect(await ground()).toBe(light);
      await page.getByRole('button', { name: 'Dark theme' }).click();
      expect(await ground()).toBe(dark);
    });

    test.each(VIEWS)('%s fits a phone: nothing to scroll sideways', async (view) => {
      const page = await open(view, { viewport: { width: 390, height: 844 }, hasTouch: true });
      await loaded(page);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    });

    test.each(VIEWS)('%s: axe finds nothing serious, in either theme', async (view) => {
      const page = await open(view, { colorScheme: 'light' });
      await loaded(page);
      await page.evaluate(axe.source);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
        const found = violations.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes[0]?.html}`);
        expect(found.filter((each) => /^(serious|critical)/.test(each))).toEqual([]);
      }
    });

    test('by keyboard alone: past the frame to the numbers, and into a table', async () => {
      const page = await open('#/customers');
      await loaded(page);
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the numbers');
      await page.keyboard.press('Enter');
      expect(await page.evaluate('document.activeElement.id')).toBe('main');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.getByRole('link', { name: '← Customers' }).waitFor();
      expect(await page.evaluate('document.activeElement.id')).toBe('main');
    });

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
        await service.ingest([
          next('comp_5', { userID: 'user_live', riskOfChurn: true, riskChanged: 'at-risk', churnProbability: 0.77 }),
        ]);
        await figure(page, 'Enriched companies').first().getByText('4,321 jobs by user_live').waitFor();
        const flips = figure(page, 'Risk flips today').first();
        await flips.getByRole('link', { name: 'comp_5' }).waitFor();
        await page.goto(`${service.url}/#/jobs`);
        await expect.poll(() => stat(page, 'Jobs today')).toBe(grouped((await ask('overview')).totals.jobsToday));
        const before = await stat(page, 'Jobs today');
        await service.ingest([next('comp_5', {})]);
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
        await service.ingest([next('comp_5', {})]);
        await isAsked;
        await service.ingest([next('comp_5', {})]);
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
        await expect.poll(() => service.dashboard.feed.readers).toBe(0);
        await page.getByRole('button', { name: 'Resume' }).click();
        await page.locator('.connection.live').waitFor();
        const hide = (hidden: boolean) =>
          page.evaluate(
            `Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${hidden} });
            document.dispatchEvent(new Event('visibilitychange'));`,
          );
        await hide(true);
        await expect.poll(() => service.dashboard.feed.readers).toBe(0);
        await hide(false);
        await page.locator('.connection.live').waitFor();
        await expect.poll(() => service.dashboard.feed.readers).toBe(1);
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
      const alerting = await startService(ROWS, built.folder, { alerts });
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
      test('before the first company, every view says what is missing', async () => {
        const empty = await startService([], built.folder);
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
        await page.goto(`${service.url}/#/risk`);
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
        await page.goto(`${service.url}/#/risk`);
        await page.getByText('The disk is full.').first().waitFor();
        await page.unroute('**/api/insights/**');
        await page.getByRole('button', { name: 'Try again' }).first().click();
        await loaded(page);
        await figure(page, 'Tenants by churn probability').locator('tbody th').first().waitFor();
        await page.route('**/api/insights/**', (route) =>
          route.fulfill({ status: 500, json: { message: 'the disk is full' } }),
        );
        await service.ingest([{ ...ROWS[0], version: 1_000_000, eventTime: NOW - 100 }]);
        await page.getByText('not newer: the disk is full').first().waitFor();
        expect(await figure(page, 'Tenants by churn probability').locator('tbody th').count()).toBeGreaterThan(0);
      });

      test('a company nobody knows is told as such', async () => {
        const page = await open(`#/jobs/${encodeURIComponent('no <b>such</b> & company')}`);
        await page.getByText('No row of company no <b>such</b> & company is known.').waitFor();
      });

      test('after a restart of the service it connects again by itself', async () => {
        const first = await startService(ROWS, built.folder);
        const { port } = new URL(first.url);
        const page = await open('#/customers', {}, first);
        await loaded(page);
        await page.locator('.connection.live').waitFor();
        await first.stop();
        await page.getByText('The service does not answer.').waitFor();
        expect(await stat(page, 'Tenants')).toBe('24');
        const second = await startService(tenantRows(25, NOW), built.folder, { port: Number(port) });
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
