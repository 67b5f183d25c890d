import type { FastifyInstance } from 'fastify';
import { serviceServer } from '../../server.ts';
import type { Place } from './settings.ts';

/**
 * The server of the dashboard. On this machine alone it answers who asks for this machine; known by another name, it answers
 * who asks for that one, in the way it is known (https): any other name is somebody's mistake, or a page that pretends.
 */
export function dashboardServer({ publicUrl, tls, trustProxy }: Place): FastifyInstance {
  if (publicUrl === undefined) return serviceServer(true, { tls, trustProxy });
  const server = serviceServer(false, { tls, trustProxy });
  server.addHook('onRequest', async (request, reply) => {
    // Who looks whether it is well asks for an address, and gets no numbers.
    if (request.routeOptions.url === '/health') return;
    if (originOf(request.protocol, request.host) === publicUrl.origin) return;
    return reply.status(421).send({ message: `ask for ${publicUrl.origin}: this answers by that name only` });
  });
  return server;
}

function originOf(protocol: string, host: string): string | undefined {
  const text = `${protocol}://${host}`;
  return URL.canParse(text) ? new URL(text).origin : undefined;
}
