import { KinesisClient, type KinesisClientConfig } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { isLoopback, localCredentials } from '../aws/local-credentials.ts';

const CONNECT_MS = 5_000;
/** One call a shard and a few writers at a time; more wait for a socket. */
const SOCKETS = 256;

interface KinesisClients {
  readonly calls: KinesisClient;
  /** A subscription holds its socket for minutes: those of the calls would run out. */
  readonly subscriptions: KinesisClient;
}

/** Clients of the SDK that try everything once. */
export function kinesisClients(region: string, endpoint: string): KinesisClients {
  // The SDK's own switch for its warning about Node versions that it is going to drop. We support Node 20 as long as it does.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const url = endpoint === '' ? undefined : endpointURL(endpoint);
  const config: KinesisClientConfig = { region, maxAttempts: 1, retryMode: 'standard' };
  if (url !== undefined) config.endpoint = endpoint;
  if (url?.protocol === 'http:' && isLoopback(url.hostname))
    config.credentials = localCredentials(new KinesisClient({ region }).config.credentials);
  return {
    // HTTP/1.1 with connections that are kept: by default the SDK opens an HTTP/2 session for each single call.
    calls: new KinesisClient({ ...config, requestHandler: http1({ keepAlive: true, maxSockets: SOCKETS }) }),
    // AWS wants HTTP/2 for these, the SDK's default; a local Kinesis without TLS has only HTTP/1.1.
    subscriptions: new KinesisClient(
      url?.protocol === 'http:'
        ? { ...config, requestHandler: http1({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY }) }
        : config,
    ),
  };
}

function http1(agent: { keepAlive: boolean; maxSockets: number }): NodeHttpHandler {
  return new NodeHttpHandler({ connectionTimeout: CONNECT_MS, httpAgent: agent, httpsAgent: agent });
}

function endpointURL(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new TenantAnalyticsError(
    'PARAMETER_INVALID',
    `aws.endpoint: expected an address such as http://127.0.0.1:4568, got ${JSON.stringify(endpoint)}. Leave it out for Kinesis of AWS.`,
  );
}
