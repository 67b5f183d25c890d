import { fileURLToPath } from 'node:url';
import { MODEL_METRICS, nodeMetrics, startText } from '../support/pipeline-hosts.ts';
import { chromiumPath, launchChromium } from './chromium.ts';
import { buildPage, NOW, startService } from './dashboard-service.ts';
import { tenantRows } from './tenant-rows.ts';

/** Writes the pictures of the documentation: `npx tsx test/browser/screenshots.ts [folder]`. */

const DESK = { width: 1360, height: 1100 };
const PHONE = { width: 390, height: 844 };

const SHOTS = [
  { name: 'customers', hash: '#/customers', size: DESK, theme: 'light' },
  { name: 'jobs', hash: '#/jobs', size: DESK, theme: 'light' },
  { name: 'company', hash: '#/jobs/comp_2', size: DESK, theme: 'light' },
  { name: 'risk', hash: '#/risk', size: DESK, theme: 'light' },
  { name: 'live', hash: '#/live', size: DESK, theme: 'light' },
  { name: 'pipeline', hash: '#/pipeline', size: DESK, theme: 'light' },
  { name: 'phone', hash: '#/customers', size: PHONE, theme: 'light' },
  { name: 'dark', hash: '#/risk', size: DESK, theme: 'dark' },
] as const;

const TENANTS = 60;

const executable = chromiumPath();
if (executable === undefined) throw new Error('expected Chromium; install it, or name it in CHROMIUM');
const folder = process.argv[2] ?? fileURLToPath(new URL('../../docs/images/', import.meta.url));
const rows = tenantRows(TENANTS, NOW);
const page = await buildPage();
// Metrics as the Node host writes them: a little more each time, so that there are rates.
let asked = 0;
const host = await startText(() => {
  asked++;
  return nodeMetrics({ started: NOW / 1000 - 3600, jobs: 1000 + 40 * asked, calls: 500 + 20 * asked });
});
const model = await startText(() => MODEL_METRICS);
const pipeline = { metricsUrl: host.url, flink: undefined, modelMetricsUrl: model.url };
const service = await startService(rows, page.folder, { pipeline });
const browser = await launchChromium(executable);
try {
  for (const { name, hash, size, theme } of SHOTS) {
    const context = await browser.newContext({ viewport: size, colorScheme: theme, reducedMotion: 'reduce' });
    const tab = await context.newPage();
    tab.on('console', (message) => process.stderr.write(`${name}: ${message.text()}\n`));
    tab.on('pageerror', (error) => process.stderr.write(`${name}: ${error.stack}\n`));
    await tab.goto(`${service.url}/${hash}`);
    await tab.locator('.connection.live').waitFor();
    if (name === 'live') {
      const newest = new Map(rows.map((row) => [row.companyID, row]));
      const news = [...newest.values()].slice(-12).map((row, at) => ({
        ...row,
        ...{
          version: row.version + 1,
          trigger: 'job',
          userID: 'user_1',
          nbJobs: 1 + at,
          eventTime: NOW - (12 - at) * 3000,
        },
      }));
      await service.ingest(news);
    }
    await tab.locator('[aria-busy="true"]').first().waitFor({ state: 'detached' });
    // The view of the pipeline has rates once it has asked twice.
    await tab.waitForTimeout(name === 'pipeline' ? 6000 : 900);
    await tab.screenshot({ path: `${folder}/${name}.png` });
    await context.close();
  }
} finally {
  await browser.close();
  await service.stop();
  await host.stop();
  await model.stop();
  await page.remove();
}
