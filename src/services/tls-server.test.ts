import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from 'vitest';
import { serviceServer } from './server.ts';

const pem = (name: string) => readFileSync(new URL(`../../test/fixtures/tls/${name}.pem`, import.meta.url), 'utf8');

test('a connection that never says hello does not hold up the end of a server with a certificate', async () => {
  const server = serviceServer(true, { tls: { cert: pem('cert'), key: pem('key') } });
  const connected = new Promise((resolve) => server.server.once('connection', resolve));
  await server.listen({ port: 0, host: '127.0.0.1' });
  const silent = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
  const lost = new Promise((resolve) => silent.once('close', resolve).once('error', resolve));
  await connected;
  await server.close();
  await lost;
  expect(server.server.listening).toBe(false);
}, 20_000);
