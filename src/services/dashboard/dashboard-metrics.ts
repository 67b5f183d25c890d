import type { Registry } from 'prom-client';
import { DASHBOARD_METRICS } from '../../observe/metric-table.ts';
import { lookedUp } from '../../observe/registry.ts';
import type { Dashboard } from './dashboard.ts';

/** How far the dashboard is, looked up when it is asked for. */
export function dashboardMetrics(dashboard: Pick<Dashboard, 'progress'>): Registry {
  const look = (value: (progress: Dashboard['progress']) => number) => () => [{ value: value(dashboard.progress) }];
  return lookedUp(DASHBOARD_METRICS, {
    dashboard_rows_total: look(({ rows }) => rows),
    dashboard_unusable_rows_total: look(({ unusable }) => unusable),
    dashboard_rows_waiting: look(({ waiting }) => waiting),
    dashboard_catching_up: look(({ isCatchingUp }) => Number(isCatchingUp)),
    dashboard_feed_readers: look(({ feedReaders }) => feedReaders),
  });
}
