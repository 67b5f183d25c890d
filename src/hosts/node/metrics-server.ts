import type { Registry } from 'prom-client';
import { METRICS_TYPE, metricsText, processMetrics } from '../../observe/registry.ts';
import type { Clock } from '../../runtime/ports.ts';
import { listen, serviceServer } from '../../services/server.ts';
import { runMetrics } from './metrics.ts';
import type { Running } from './run.ts';

/**
 * `GET /metrics` of a run on 127.0.0.1, for Prometheus; `running` is undefined until it has begun.
 * @throws TenantAnalyticsError PORT_TAKEN or SERVICE_FAILED
 */
export async function serveMetrics(
  running: () => Pick<Running, 'status' | 'counters'> | undefined,
  clock: Clock,
  port: number,
): Promise<{ url: string; stop(): Promise<void> }> {
  const server = serviceServer();
  let ofRun: Registry | undefined;
  server.get('/metrics', async (_request, reply) => {
    const now = running();
    if (now === undefined) return reply.status(503).send({ message: 'the run has not begun yet; try again' });
    ofRun ??= runMetrics(now, clock);
    return reply.type(METRICS_TYPE).send(await metricsText([ofRun, processMetrics()]));
  });
  const url = await listen(server, { port, what: 'metrics', flag: '--metrics-port' });
  return {
    url: `${url}/metrics`,
    stop: async () => {
      await server.close();
    },
  };
}
