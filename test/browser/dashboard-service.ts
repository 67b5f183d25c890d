import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { EpochMs } from '../../src/base/time.ts';
import type { News } from '../../src/services/alerts/alert.ts';
import type { Alerts } from '../../src/services/alerts/alerts.ts';
import { dashboardServer } from '../../src/services/dashboard/access/server.ts';
import { type Access, HERE_FOR_ANYBODY } from '../../src/services/dashboard/access/settings.ts';
import { dashboardApp } from '../../src/services/dashboard/app.ts';
import { Dashboard } from '../../src/services/dashboard/dashboard.ts';
import type { PipelinePlaces } from '../../src/services/dashboard/pipeline-source.ts';
import { serviceServer } from '../../src/services/server.ts';
import type { TenantRow } from './tenant-rows.ts';

/** All that is shown is of this moment: the same numbers and pictures on every run. */
export const NOW: EpochMs = Date.UTC(2026, 10, 22, 19, 7, 46);

export interface DashboardService {
  /** Without a slash at its end. */
  readonly url: string;
  readonly dashboard: Dashboard;
  ingest(rows: readonly object[]): Promise<void>;
  stop(): Promise<void>;
}

interface ServiceOptions {
  readonly port?: number;
  readonly pipeline?: PipelinePlaces;
  readonly access?: Access;
  readonly alerts?: Alerts | undefined;
}

/** The real service over these rows, with the page of that folder. Port 0 takes a free one. */
export async function startService(
  rows: readonly TenantRow[],
  webFolder: string,
  { port = 0, pipeline = { metricsUrl: '' }, alerts, access = HERE_FOR_ANYBODY }: ServiceOptions = {},
): Promise<DashboardService> {
  const dashboard = await Dashboard.open({
    now: () => NOW,
    warn: (message) => process.stderr.write(`${message}\n`),
    flipped: (flips: readonly News[]) => alerts?.flipped(flips),
  });
  const failed = dashboard.failed.then((error) => {
    throw error;
  });
  failed.catch(() => undefined);
  const ingest = async (more: readonly object[]) => {
    for (const row of more) dashboard.ingest(Buffer.from(JSON.stringify(row)));
    await Promise.race([dashboard.applied(), failed]);
  };
  await ingest(rows);
  const server = dashboardServer(access.place);
  await server.register(dashboardApp, { dashboard, webFolder, pipeline, alerts, version: '0.0.0', access });
  const url = await server.listen({ host: '127.0.0.1', port });
  const stop = async () => {
    await server.close();
    await dashboard.close();
  };
  return { url, dashboard, ingest, stop };
}

export interface BuiltPage {
  readonly folder: string;
  remove(): Promise<void>;
}

/** The page as it is shipped, in a folder of its own. */
export async function buildPage(): Promise<BuiltPage> {
  const folder = await mkdtemp(join(tmpdir(), 'tenant-page-'));
  const vite = join(dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin', 'vite.js');
  const config = fileURLToPath(new URL('../../web/vite.config.ts', import.meta.url));
  const args = [vite, 'build', '--config', config, '--outDir', folder, '--emptyOutDir', '--logLevel', 'warn'];
  // A process of its own: what runs the tests is no production, and its page would be another one.
  await promisify(execFile)(process.execPath, args, { env: { ...process.env, NODE_ENV: 'production' } });
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** An application that tells two metrics. */
export async function startMetrics(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = serviceServer();
  server.get('/metrics', async (_request, reply) => reply.type('text/plain').send(METRICS));
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return { url: `${url}/metrics`, stop: () => server.close() };
}

const METRICS = `# HELP rows_total Rows made, by sink
# TYPE rows_total counter
rows_total{sink="rows"} 12345
# HELP watermark_lag_seconds How far the watermark is behind the clock
# TYPE watermark_lag_seconds gauge
watermark_lag_seconds 61.5
`;
