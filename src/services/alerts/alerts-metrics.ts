import type { Registry } from 'prom-client';
import { ALERTS_METRICS } from '../../observe/metric-table.ts';
import { lookedUp } from '../../observe/registry.ts';
import type { Alerts } from './alerts.ts';
import type { AlertsReport } from './report.ts';

/** What became of alerts, looked up when it is asked for. */
export function alertsMetrics(alerts: Pick<Alerts, 'report'>): Registry {
  const look = (value: (report: AlertsReport) => number) => () => [{ value: value(alerts.report()) }];
  return lookedUp(ALERTS_METRICS, {
    alerts_sent_total: look(({ sent }) => sent),
    alerts_refused_total: look(({ refused }) => refused),
    alerts_failed_attempts_total: look(({ failedAttempts }) => failedAttempts),
    alerts_waiting: () =>
      alerts.report().targets.map(({ name, waiting }) => ({ labels: { target: name }, value: waiting })),
    alerts_failing_since_seconds: () =>
      alerts
        .report()
        .targets.flatMap(({ name, failingSince }) =>
          failingSince === null ? [] : [{ labels: { target: name }, value: failingSince / 1000 }],
        ),
    alerts_held: look(({ held }) => held),
  });
}
