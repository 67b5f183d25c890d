import { expect, test } from 'vitest';
import { churnScoring } from '../../src/services/churn-scoring/app.ts';
import { listen, serviceServer } from '../../src/services/server.ts';

test('a service listens on this machine only, and stops while clients keep their connections', async () => {
  const server = serviceServer();
  server.get('/health', async () => ({ status: 'ok' }));
  const url = await listen(server, { port: 0, what: 'TenantManager', flag: '--tenant-manager-port' });
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'ok' });
  await server.close();
  await expect(fetch(`${url}/health`)).rejects.toThrow();
});

test('a taken port is named, with the flag that chooses another', async () => {
  const first = serviceServer();
  const url = await listen(first, { port: 0, what: 'one', flag: '--one' });
  const port = Number(new URL(url).port);
  const second = serviceServer();
  await second.register(churnScoring, { apiKey: '' });
  await expect(listen(second, { port, what: 'churn scoring', flag: '--churn-scoring-port' })).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: `churn scoring: port ${port} on 127.0.0.1 is taken by another program. Stop that program, or choose another port with --churn-scoring-port.`,
  });
  await first.close();
});
