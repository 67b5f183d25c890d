import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openServer } from './server-database.ts';
import { TenantRepository } from './tenant-repository.ts';

/*
 * A server that says as much of PostgreSQL's protocol as is needed to lose connections in it: each question has an answer of no
 * rows, and while it is ill a connection that says BEGIN is closed.
 */
let server: Server;
let isIll = false;
const open = new Set<Socket>();
beforeEach(async () => {
  isIll = false;
  server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    speak(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  for (const socket of open) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const message = (type: string, body = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
};
const READY = message('Z', Buffer.from('I'));
const AUTHENTICATED = Buffer.concat([message('R', Buffer.alloc(4)), READY]);
const completed = (tag: string) => message('C', Buffer.from(`${tag}\0`));
const ANSWERS: Readonly<Record<string, Buffer>> = {
  Q: Buffer.concat([completed('OK'), READY]),
  ...{ P: message('1'), B: message('2'), D: message('n'), E: completed('SELECT 0'), S: READY },
};

function speak(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  let isBegun = false;
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    for (;;) {
      const head = isBegun ? 1 : 0;
      if (rest.length < head + 4 || rest.length < head + rest.readInt32BE(head)) return;
      const end = head + rest.readInt32BE(head);
      const [type, text] = [rest.toString('latin1', 0, head), rest.toString('latin1', head + 4, end)];
      rest = rest.subarray(end);
      if (isIll && /begin/i.test(text)) return void socket.destroy();
      if (type === 'X') return void socket.end();
      socket.write(isBegun ? (ANSWERS[type] ?? READY) : AUTHENTICATED);
      isBegun = true;
    }
  });
}

test('connections that are lost at the begin of a transaction leave the pool, however many', async () => {
  const { port } = server.address() as AddressInfo;
  const database = await openServer({ url: `postgresql://user:word@127.0.0.1:${port}/tenants` }, () => undefined);
  const tenants = new TenantRepository(
    database,
    () => 0,
    () => undefined,
  );
  isIll = true;
  for (let lost = 0; lost < 10; lost++) await expect(tenants.remove('a', () => true)).rejects.toThrow();
  isIll = false;
  await tenants.check();
  await database.close();
});
