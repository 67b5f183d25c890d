import axe from 'axe-core';
// biome-ignore lint/correctness/noUnresolvedImports: Biome does not follow the re-exports of this package.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelinePlaces } from '../../src/services/dashboard/pipeline-source.ts';
import { JOB, MODEL_METRICS, nodeMetrics, startFlink, startText } from '../support/pipeline-hosts.ts';
import { chromiumPath, launchChromium } from './chromium.ts';
import { type BuiltPage, buildPage, startService } from './dashboard-service.ts';

const executable = chromiumPath();
const DESK = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

describe.skipIf(executable === undefined)('The view Pipeline in Chromium', () => {
  let built: BuiltPage;
  let browser: Browser;
  const closing: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    built = await buildPage();
    browser = await launchChromium(executable ?? '');
  });
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
    await browser?.close();
    await built?.remove();
  });

  async function serve(pipeline: PipelinePlaces): Promise<string> {
    const service = await startService([], built.folder, { pipeline });
    closing.push(() => service.stop());
    return service.url;
  }

  async function open(url: string, viewport: typeof DESK, colorScheme: 'light' | 'dark'): Promise<Page> {
    const page = await browser.newPage({ viewport, colorScheme, reducedMotion: 'reduce' });
    closing.push(() => page.close());
    page.setDefaultTimeout(20_000);
    await page.goto(`${url}/#/pipeline`);
    await page.locator('.figure').first().waitFor();
    await expect.poll(() => page.locator('[aria-busy="true"]').count(), { timeout: 20_000 }).toBe(0);
    return page;
  }

  async function expectAccessible(page: Page): Promise<void> {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
    expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  }

  const row = (page: Page, figure: string, name: string) =>
    page
      .locator('.figure', { has: page.getByRole('heading', { name: figure, exact: true }) })
      .locator('tbody tr', { hasText: name });

  test('shows the Node host: breaker, lag, dead letters with the way to replay them, rates, and its model', async () => {
    const started = Date.now() / 1000 - 3600;
    const begun = Date.now();
    const node = await startText(() => {
      const gained = Math.floor((Date.now() - begun) / 100);
      return nodeMetrics({ started, jobs: 100 + gained, calls: 50 + gained });
    });
    const model = await startText(() => MODEL_METRICS);
    closing.push(node.stop, model.stop);
    const url = await serve({ metricsUrl: node.url, modelMetricsUrl: model.url });
    const page = await open(url, DESK, 'light');
    await page.locator('.host').getByText('Node host').waitFor();
    expect(await row(page, 'Calls', 'churn-scoring').innerText()).toMatch(/open/);
    expect(await row(page, 'Calls', 'tenant-manager').innerText()).toMatch(/closed\s.*10 ms\s+98 ms/s);
    expect(await row(page, 'Lag by shard', 'shardId-000000000001').innerText()).toMatch(/42 s\s+active/);
    expect(await row(page, 'Dead letters', 'malformed').innerText()).toContain('dead-letters replay OUTPUT --reason');
    await page.getByText('Look: employees drifted').waitFor();
    await expect
      .poll(() => page.locator('.stat', { hasText: 'In: jobs' }).innerText(), { timeout: 20_000 })
      .toMatch(/\d\/s/);
    await page.getByText('All metrics').click();
    await expectAccessible(page);
    await expectAccessible(await open(url, PHONE, 'dark'));
  });

  test('shows Flink: the job with its state and restarts, checkpoints and vertices; once it is away, that it is', async () => {
    let state = 'RUNNING';
    const flink = await startFlink(() => ({
      jobs: state === '' ? [] : [{ id: JOB, state }],
      records: 30,
      checkpointAt: Date.now(),
    }));
    closing.push(flink.stop);
    const url = await serve({ metricsUrl: '', flink: { url: flink.url, job: '' } });
    const page = await open(url, DESK, 'dark');
    await expect
      .poll(() => page.locator('.host').innerText())
      .toMatch(/Apache Flink running .*1 restart, job CompanyJobProcessing/s);
    expect(await row(page, 'Vertices of the Flink job', 'jobs -> stages').innerText()).toMatch(/running\s+2\s+121\/s/);
    expect(await page.locator('.stat', { hasText: 'Checkpoint age' }).innerText()).toContain(
      '5 MB in 250 ms, 2 failed',
    );
    await page.getByText('Start the dashboard with --model-metrics-url').waitFor();
    await expectAccessible(page);
    state = 'FAILED';
    const failed = await open(url, PHONE, 'light');
    await failed.locator('.host .badge.bad', { hasText: 'failed' }).waitFor();
    await expectAccessible(failed);
    state = '';
    const gone = await open(url, DESK, 'light');
    await gone.getByText('has no job named CompanyJobProcessing').waitFor();
    await expectAccessible(gone);
  });
});
