// Signing in, in a real Chromium: by a token and by a provider, and what a user of one tenant sees.
import axe from 'axe-core';
// biome-ignore lint/correctness/noUnresolvedImports: Biome does not follow the re-exports of this package.
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readAccess } from '../../src/services/dashboard/access/settings.ts';
import { temporaryFolder } from '../integration/folders.ts';
import { NOTHING_SAID, TOKENS, tokensFile } from '../support/dashboard-access.ts';
import { CLIENT_ID, CLIENT_SECRET, startProvider, type TestProvider } from '../support/oidc-provider.ts';
import { chromiumPath, launchChromium } from './chromium.ts';
import { type BuiltPage, buildPage, type DashboardService, NOW, startService } from './dashboard-service.ts';
import { tenantRows } from './tenant-rows.ts';

const executable = chromiumPath();
const ROWS = tenantRows(24, NOW);
const OTHERS = /\bcomp_(?!1\b)\d+\b/;

describe.skipIf(executable === undefined)(
  'Signing in, in Chromium (apt-get install chromium, or name it in CHROMIUM)',
  () => {
    let built: BuiltPage;
    let service: DashboardService;
    let provider: TestProvider;
    let browser: Browser;
    let pages: Page[] = [];
    let complaints: string[] = [];
    /** Rows are news once. */
    let rounds = 0;
    /** What the service answered, but for the parts of the page. */
    let answers: Promise<string>[] = [];

    beforeAll(async () => {
      built = await buildPage();
      provider = await startProvider();
      const access = await readAccess({
        ...NOTHING_SAID,
        ...{ tokens: await tokensFile(await temporaryFolder()), oidcIssuer: provider.issuer },
        ...{ oidcClientID: CLIENT_ID, oidcClientSecret: CLIENT_SECRET, oidcStaffClaim: 'groups=staff' },
      });
      service = await startService(ROWS, built.folder, { access });
      browser = await launchChromium(executable ?? '');
    });
    afterAll(async () => {
      await browser?.close();
      await service?.stop();
      await provider?.stop();
      await built?.remove();
    });
    afterEach(async () => {
      for (const page of pages) await page.context().close();
      pages = [];
      const found = complaints;
      complaints = [];
      expect(found).toEqual([]);
    });

    async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
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
      answers = [];
      page.on('response', (response) => {
        const { pathname } = new URL(response.url());
        if (pathname.startsWith('/api/') && pathname !== '/api/feed') answers.push(response.text().catch(() => ''));
        if (pathname.startsWith('/api/') && response.status() >= 400)
          complaints.push(`${response.status()} ${pathname}`);
      });
      await page.goto(`${service.url}${path}`);
      return page;
    }

    async function byToken(page: Page, who: keyof typeof TOKENS): Promise<void> {
      await page.getByLabel('Token').fill(TOKENS[who].token);
      await page.getByRole('button', { name: 'Sign in' }).click();
    }

    async function loaded(page: Page): Promise<void> {
      await page.locator('.figure').first().waitFor();
      await expect.poll(() => page.locator('[aria-busy="true"]').count()).toBe(0);
    }

    /** Of what is seen, heard, asked for and answered, nothing is of anybody else. */
    async function expectOnlyOwn(page: Page): Promise<void> {
      expect(await page.locator('body').innerText()).not.toMatch(OTHERS);
      expect((await Promise.all(answers)).join('\n')).not.toMatch(OTHERS);
    }

    test('a user of a tenant signs in by a token, and sees that tenant, its name and the way out, and nothing else', async () => {
      const page = await open('/');
      await byToken(page, 'tenant');
      await page.getByRole('heading', { level: 1, name: 'comp_1', exact: true }).waitFor();
      await loaded(page);
      await page.locator('.connection.live').waitFor();
      expect(await page.getByRole('navigation').getByRole('link').allInnerTexts()).toEqual(['Jobs', 'Live']);
      expect(await page.getByText('Tom of comp_1').count()).toBe(1);
      await page.getByRole('region', { name: 'Jobs and data per day' }).locator('canvas').waitFor();
      await page.getByRole('link', { name: 'Live' }).click();
      await page.getByText('Nothing has happened since you opened this page').waitFor();
      const newest = new Map(ROWS.map((row) => [row.companyID, row]));
      const next = [...newest.values()].map((row) => ({
        ...row,
        version: row.version + ++rounds,
        eventTime: NOW - 500,
        nbJobs: 4321,
      }));
      await service.ingest(next);
      await page.getByText('4,321 jobs').waitFor();
      await expectOnlyOwn(page);
      // Whatever address somebody types.
      for (const hash of ['#/customers', '#/jobs/comp_2', '#/risk', '#/pipeline']) {
        await page.goto(`${service.url}/${hash}`);
        await page.getByRole('heading', { level: 1, name: 'comp_1', exact: true }).waitFor();
        await loaded(page);
        await expectOnlyOwn(page);
      }
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByText('You are signed out here').waitFor();
      // What was on its way as the session ended.
      complaints = complaints.filter((each) => !each.startsWith('401'));
      await page.goBack();
      await page.getByLabel('Token').waitFor();
      expect(await page.locator('body').innerText()).not.toContain('comp_1');
    });

    test('who signs out comes where that is said, though the page would ask for numbers meanwhile', async () => {
      const page = await open('/#/live');
      await byToken(page, 'tenant');
      await page.locator('.connection.live').waitFor();
      await page.route('**/sign-out', async (route) => {
        const response = await route.fetch({ maxRedirects: 0 });
        // The session is over, and the page does not know it yet: longer than until it comes back to the feed and asks.
        await new Promise((resolve) => setTimeout(resolve, 6000));
        await route.fulfill({ response });
      });
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByText('You are signed out here').waitFor();
      complaints = complaints.filter((each) => !each.startsWith('401'));
    });

    test('a user of a tenant signs in by the provider, and sees that tenant', async () => {
      provider.user = { sub: 'tom', name: 'Tom by provider', company_id: 'comp_1' };
      const page = await open('/');
      await page.getByRole('link', { name: `Sign in with ${new URL(provider.issuer).host}` }).click();
      await page.getByRole('heading', { level: 1, name: 'comp_1', exact: true }).waitFor();
      await loaded(page);
      expect(await page.getByText('Tom by provider').count()).toBe(1);
      await expectOnlyOwn(page);
    });

    test('who is neither of a tenant nor of the staff is told so', async () => {
      provider.user = { sub: 'eve' };
      const page = await open('/');
      await page.getByRole('link', { name: /^Sign in with/ }).click();
      await page.getByRole('alert').getByText('you belong to no tenant').waitFor();
    });

    test('staff sees all views, and comes back to the link that it followed', async () => {
      const page = await open('/#/jobs/comp_2');
      await page.getByLabel('Token').fill('ta_wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').waitFor();
      await byToken(page, 'staff');
      await page.getByRole('heading', { level: 1, name: 'comp_2' }).waitFor();
      await loaded(page);
      expect(await page.getByRole('navigation').getByRole('link').allInnerTexts()).toEqual([
        'Customers',
        'Jobs',
        'Risk',
        'Live',
      ]);
    });

    test('a page whose session ended elsewhere leads back to signing in', async () => {
      const page = await open('/');
      await byToken(page, 'staff');
      await loaded(page);
      const second = await page.context().newPage();
      await second.goto(service.url);
      await second.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Token').waitFor();
      complaints = complaints.filter((each) => !each.startsWith('401'));
    });

    test.each([
      ['by keyboard, at the desk', { viewport: { width: 1280, height: 800 } }],
      ['on a phone', { viewport: { width: 390, height: 844 }, hasTouch: true }],
    ])(
      'the page for signing in can be used %s, and axe finds nothing serious in either theme',
      async (_where, options) => {
        const page = await open('/sign-in?said=wrong-token', options);
        await page.evaluate(axe.source);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
          const found = violations.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes[0]?.html}`);
          expect(found.filter((each) => /^(serious|critical)/.test(each))).toEqual([]);
        }
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(options.viewport.width);
        await page.keyboard.press('Tab');
        await page.keyboard.press('Tab');
        expect(await page.evaluate('document.activeElement.id')).toBe('token');
        await page.keyboard.type(TOKENS.tenant.token);
        await page.keyboard.press('Enter');
        await loaded(page);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(options.viewport.width);
        for (const name of ['Sign out', 'Dark theme']) {
          const box = await page.getByRole('button', { name }).boundingBox();
          expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(options.viewport.width);
        }
      },
    );
  },
);
