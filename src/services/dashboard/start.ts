import { readFileSync } from 'node:fs';
import type { Observation } from '../../observe/observation.ts';
import type { Alerts } from '../alerts/alerts.ts';
import { alertsMetrics } from '../alerts/alerts-metrics.ts';
import { packageFile } from '../local-kinesis/package-file.ts';
import { observeRequests } from '../observe.ts';
import { listen } from '../server.ts';
import { dashboardServer } from './access/server.ts';
import { type Access, HERE_FOR_ANYBODY } from './access/settings.ts';
import { dashboardApp } from './app.ts';
import { Dashboard, type DashboardWorld } from './dashboard.ts';
import { dashboardMetrics } from './dashboard-metrics.ts';
import type { PipelinePlaces } from './pipeline-source.ts';

export interface StartDashboardOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** The flag of the command line that chooses the port: for who is refused. */
  readonly flag: string;
  /** Where the built page lies. */
  readonly webFolder: string;
  /** Where the application runs, and tells how it is; nowhere unless given. */
  readonly pipeline?: PipelinePlaces;
  readonly observation?: Observation | undefined;
  /** On 127.0.0.1, for anybody there, unless given. */
  readonly access?: Access;
  /** None are sent unless given. */
  readonly alerts?: Alerts | undefined;
}

export interface RunningDashboardService {
  /** How people know it. */
  readonly url: string;
  /** Where it listens: another one behind a proxy. */
  readonly listensAt: string;
  /** Takes the rows. */
  readonly dashboard: Dashboard;
  stop(): Promise<void>;
}

/** @throws TenantAnalyticsError PORT_TAKEN, or SERVICE_FAILED */
export async function startDashboard(
  { port, flag, webFolder, pipeline, alerts, observation, access = HERE_FOR_ANYBODY }: StartDashboardOptions,
  world: DashboardWorld,
): Promise<RunningDashboardService> {
  const dashboard = await Dashboard.open(world);
  const { host, publicUrl, tls } = access.place;
  const server = dashboardServer(access.place);
  try {
    const registry = dashboardMetrics(dashboard);
    observeRequests(server, { ...observation, service: 'dashboard', registry });
    const registries = [registry, ...(alerts === undefined ? [] : [alertsMetrics(alerts)])];
    const options = { dashboard, webFolder, alerts, version: version(), access, world, registries };
    await server.register(dashboardApp, { ...options, ...(pipeline === undefined ? {} : { pipeline }) });
    const url = await listen(server, { port, host, what: 'the dashboard', flag });
    const listensAt = tls === undefined ? url : url.replace(/^http:/, 'https:');
    return {
      url: publicUrl?.origin ?? listensAt,
      listensAt,
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
