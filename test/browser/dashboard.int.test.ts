import { readFileSync } from 'node:fs';
import axe from 'axe-core';
import { describe, expect, test } from 'vitest';
import { chromiumPath } from './chromium.ts';
import { dashboardPages, grouped } from './dashboard-pages.ts';
import { NOW, startService } from './dashboard-service.ts';
import { tenantRows } from './tenant-rows.ts';

const executable = chromiumPath();
const VIEWS = ['#/customers', '#/customers/finance', '#/jobs', '#/jobs/comp_2', '#/risk', '#/pipeline', '#/live'];
const ROWS = tenantRows(24, NOW);

describe.skipIf(executable === undefined)(
  'The dashboard in Chromium (apt-get install chromium, or name it in CHROMIUM)',
  () => {
    const at = dashboardPages(ROWS);
    const { open, loaded, ask, stat, figure } = at;

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
      const without = await startService([], at.folder);
      try {
        const other = await open('#/customers', {}, without);
        await Promise.all([other.waitForResponse(/api\/insights$/), other.reload()]);
        await other.locator('.connection.live').waitFor();
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
  },
);
