import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Alerts } from '../alerts/alerts.ts';
import type { AlertsReport } from '../alerts/report.ts';
import { csvOf } from './csv.ts';
import type { Dashboard } from './dashboard.ts';
import { type AlertsAnswer, type AsOf, alertsSchema, problemSchema } from './insights-schema.ts';
import { ALERTS, FORMAT, given, OWN, openApi, problemOf, sendCsv, wantsCsv } from './routes.ts';

/** `GET /api/insights/alerts`: also answers when there are none, and says so. */
export function alertsRoute(
  api: FastifyInstance,
  dashboard: Dashboard,
  alerts: Pick<Alerts, 'report'> | undefined,
): void {
  const asked = z.strictObject(FORMAT);
  const response = { 200: openApi(alertsSchema), 400: openApi(problemSchema) };
  api.get<{ Querystring: Record<string, unknown> }>(
    ALERTS.href,
    { ...OWN, schema: { summary: ALERTS.title, querystring: openApi(asked, 'input'), response } },
    async (request, reply) => {
      const read = asked.safeParse(given(request.query));
      if (!read.success) return reply.status(400).send({ message: problemOf(read.error) });
      const { tenants: _, companiesNotShown: __, ...asOf } = await dashboard.status();
      const answer = alertsAnswer(alerts?.report(), asOf);
      reply.header('cache-control', 'no-store');
      if (!wantsCsv(request, read.data.format)) return answer;
      return sendCsv(reply, 'alerts', answer.asOf, csvOf(ALERTS.columns, answer.rows));
    },
  );
}

const OFF: AlertsReport = {
  ...{ since: 0, silentDays: 0, quietMs: 0, sent: 0, refused: 0, merged: 0, waiting: 0, held: 0, failedAttempts: 0 },
  targets: [],
  alerts: [],
};

const timeText = (time: number | null): string | null => (time === null ? null : new Date(time).toISOString());

function alertsAnswer(report: AlertsReport | undefined, asOf: AsOf): AlertsAnswer {
  const { since, quietMs, targets, alerts, ...totals } = report ?? OFF;
  const isOn = report !== undefined;
  return {
    insight: 'alerts',
    title: ALERTS.title,
    asOf,
    totals: { isOn, ...totals, since: isOn ? timeText(since) : null, quietHours: quietMs / 3_600_000 },
    rows: alerts.map(({ companyID, change, state, target, attempts, problem, reasons, ...rest }) => ({
      ...{ companyID, change, state, target },
      raisedAt: timeText(rest.raisedAt) ?? '',
      settledAt: timeText(rest.settledAt),
      ...{ attempts, problem },
      at: timeText(rest.at) ?? '',
      ...{ version: rest.version, churnProbability: rest.churnProbability, monthlyFee: rest.monthlyFee },
      ...{ reasons: [...reasons], merged: rest.merged },
    })),
    targets: targets.map((target) => ({ ...target, failingSince: timeText(target.failingSince) })),
  };
}
