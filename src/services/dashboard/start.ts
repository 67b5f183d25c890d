import { readFileSync } from 'node:fs';
import type { Observation } from '../../observe/observation.ts';
import { packageFile } from '../local-kinesis/package-file.ts';
import { metricsRoute, observeRequests } from '../observe.ts';
import { listen, serviceServer } from '../server.ts';
import { dashboardApp } from './app.ts';
import { Dashboard, type DashboardWorld } from './dashboard.ts';
import { dashboardMetrics } from './dashboard-metrics.ts';

export interface StartDashboardOptions {
  /** On 127.0.0.1; 0 takes a free one. */
  readonly port: number;
  /** The flag of the command line that chooses the port: for who is refused. */
  readonly flag: string;
  /** Where the built page lies. */
  readonly webFolder: string;
  /** Where the application tells its metrics; none unless given. */
  readonly metricsUrl?: string;
  readonly observation?: Observation | undefined;
}

export interface RunningDashboardService {
  readonly url: string;
  /** Takes the rows. */
  readonly dashboard: Dashboard;
  stop(): Promise<void>;
}

/** @throws TenantAnalyticsError PORT_TAKEN, or SERVICE_FAILED */
export async function startDashboard(
  { port, flag, webFolder, metricsUrl = '', observation }: StartDashboardOptions,
  world: DashboardWorld,
): Promise<RunningDashboardService> {
  const dashboard = await Dashboard.open(world);
  const server = serviceServer();
  try {
    const registry = dashboardMetrics(dashboard);
    observeRequests(server, { ...observation, service: 'dashboard', registry });
    await server.register(metricsRoute, { registries: [registry] });
    await server.register(dashboardApp, { dashboard, webFolder, metricsUrl, version: version() });
    const url = await listen(server, { port, what: 'the dashboard', flag });
    return {
      url,
      dashboard,
      async stop() {
        // Feeds are answers that never end by themselves.
        dashboard.feed.close();
        await server.close();
        await dashboard.close();
      },
    };
  } catch (error) {
    await server.close();
    await dashboard.close();
    throw error;
  }
}

/** Where the build puts the page. */
export function builtPage(): string {
  return packageFile('package.json').replace(/package\.json$/, 'dist/web');
}

function version(): string {
  return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
}
