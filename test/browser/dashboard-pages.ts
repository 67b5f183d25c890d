// The real page over the real service in Chromium, for the tests of one file.
// biome-ignore lint/correctness/noUnresolvedImports: Biome does not follow the re-exports of this package.
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { InsightAnswer, InsightName } from '../../src/services/dashboard/insights-schema.ts';
import { chromiumPath, launchChromium } from './chromium.ts';
import { type BuiltPage, buildPage, type DashboardService, startMetrics, startService } from './dashboard-service.ts';
import type { TenantRow } from './tenant-rows.ts';

export interface DashboardPages {
  /** Of the rows that were given, with the metrics of an application. */
  readonly service: DashboardService;
  /** Of the built page. */
  readonly folder: string;
  /** A page of its own; what it complains of, or asks for elsewhere, fails the test. */
  open(hash: string, options?: BrowserContextOptions, of?: DashboardService): Promise<Page>;
  /** Until nothing on the page is waited for. */
  loaded(page: Page): Promise<void>;
  /** An insight, of the service itself. */
  ask<N extends InsightName>(name: N, query?: string): Promise<InsightAnswer<N>>;
  /** The number under this name. */
  stat(page: Page, name: string): Promise<string>;
  figure(page: Page, title: string): Locator;
}

/** To be called in a suite, whose tests it serves; the suite is skipped where there is no Chromium. */
export function dashboardPages(rows: readonly TenantRow[]): DashboardPages {
  let built: BuiltPage;
  let service: DashboardService;
  let metrics: Awaited<ReturnType<typeof startMetrics>>;
  let browser: Browser;
  let pages: Page[] = [];
  let complaints: string[] = [];

  beforeAll(async () => {
    built = await buildPage();
    metrics = await startMetrics();
    service = await startService(rows, built.folder, { pipeline: { metricsUrl: metrics.url } });
    browser = await launchChromium(chromiumPath() ?? '');
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

  return {
    get service() {
      return service;
    },
    get folder() {
      return built.folder;
    },
    async open(hash, options = {}, of = service) {
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
        if (!request.url().startsWith(of.url) && !request.url().startsWith('blob:')) complaints.push(request.url());
      });
      await page.goto(`${of.url}/${hash}`);
      return page;
    },
    async loaded(page) {
      await page.locator('.figure').first().waitFor();
      await expect.poll(() => page.locator('[aria-busy="true"]').count(), { timeout: 20_000 }).toBe(0);
    },
    async ask<N extends InsightName>(name: N, query = '') {
      const response = await fetch(`${service.url}/api/insights/${name}?${query}`);
      return (await response.json()) as InsightAnswer<N>;
    },
    stat: (page, name) =>
      page
        .locator('.stat', { has: page.getByText(name, { exact: true }) })
        .locator('.value')
        .innerText(),
    figure: (page, title) => page.getByRole('region', { name: title, exact: true }),
  };
}

/** As the page writes a number. */
export const grouped = (value: number): string => value.toLocaleString('en-US');
