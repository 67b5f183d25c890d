import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { messageOf, systemCode, TenantAnalyticsError } from '../base/errors.ts';

// For those that stand behind Fastify; what is deployed without it asks the file itself.
export { isSameSecret } from './same-secret.ts';

/** A company id has 128 characters at most, each up to 12 in a URL (`%F0%9F%98%80`). */
const MOST_PARAMETER_CHARACTERS = 128 * 12;
/** Our largest request is one company record. */
const MOST_BODY_BYTES = 64 * 1024;

const HERE: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]', '::1']);

/** Whether who listens there is reached from this machine only. */
export function isHere(host: string): boolean {
  return HERE.has(host);
}

/** For what is reached from elsewhere. */
export interface ServerOptions {
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Addresses whose word is taken for who asks, by which name and how: proxies of ours. */
  readonly trustProxy?: string | undefined;
}

/**
 * An HTTP server for the plugins of our services; every answer that is no success is `{"message": …}`.
 * `isLocal`: it answers only who asks for this machine by its own name.
 */
export function serviceServer(isLocal = true, { tls, trustProxy }: ServerOptions = {}): FastifyInstance {
  const server = Fastify<Server>({
    ...(tls === undefined ? {} : { serverFactory: (handler: RequestListener) => tlsServer(tls, handler) }),
    ...(trustProxy === undefined ? {} : { trustProxy }),
    bodyLimit: MOST_BODY_BYTES,
    routerOptions: { maxParamLength: MOST_PARAMETER_CHARACTERS },
    // Clients keep their connections: a service that stops must not wait for them.
    forceCloseConnections: true,
  });
  if (isLocal) {
    // A page from elsewhere whose name suddenly means this machine (DNS rebinding) would be let in otherwise.
    server.addHook('onRequest', async (request, reply) => {
      if (HERE.has(request.hostname)) return;
      return reply
        .status(421)
        .send({ message: 'ask for 127.0.0.1 or localhost: this answers on its own machine only' });
    });
  }
  server.setErrorHandler<FastifyError>((error, _request, reply) => {
    const status = error.statusCode ?? 500;
    reply.status(status).send({ message: status < 500 ? error.message : 'the service failed; try again' });
  });
  server.setNotFoundHandler((request, reply) => {
    reply.status(404).send({ message: `there is no ${request.method} ${request.url.split('?')[0]}` });
  });
  return server;
}

/** `closeAllConnections` knows those that have finished their handshake only: one that never did would hold up the end. */
function tlsServer(tls: NonNullable<ServerOptions['tls']>, handler: RequestListener): Server {
  const server = createServer(tls, handler);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.closeAllConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  return server;
}

export interface ListenAt {
  /** 0 takes a free one. */
  readonly port: number;
  /** 127.0.0.1 unless told; only what stands in a container of its own is told. */
  readonly host?: string;
  /** What listens, and the flag of the command line that chooses its port: for who is refused. */
  readonly what: string;
  readonly flag: string;
}

/**
 * Whether a port can be had, before what takes a while is begun for it: somebody may still take it meanwhile.
 * @throws TenantAnalyticsError PORT_TAKEN, or SERVICE_FAILED
 */
export async function checkPort(at: ListenAt): Promise<void> {
  const server = serviceServer();
  await listen(server, at);
  await server.close();
}

/**
 * Returns its URL, without a path.
 * @throws TenantAnalyticsError PORT_TAKEN, or SERVICE_FAILED
 */
export async function listen(
  server: FastifyInstance,
  { port, host = '127.0.0.1', what, flag }: ListenAt,
): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    await server.close();
    if (systemCode(error) === 'EADDRINUSE') {
      throw new TenantAnalyticsError(
        'PORT_TAKEN',
        `${what}: port ${port} on ${host} is taken by another program. Stop that program, or choose another port with ${flag}.`,
        { cause: error },
      );
    }
    throw new TenantAnalyticsError(
      'SERVICE_FAILED',
      `${what}: expected to listen at ${host}:${port}, got: ${messageOf(error)}. Choose another port with ${flag}.`,
      { cause: error },
    );
  }
}
