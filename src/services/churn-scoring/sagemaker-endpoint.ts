import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import {
  InvokeEndpointCommand,
  SageMakerRuntimeClient,
  type SageMakerRuntimeClientConfig,
  SageMakerRuntimeServiceException,
} from '@aws-sdk/client-sagemaker-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { messageOf } from '../../base/errors.ts';
import type { InvokeModel } from './assess-churn.ts';
import { customAttributes } from './custom-attributes.ts';

export interface SageMakerEndpointOptions {
  readonly region: string;
  /** Empty: the region's. */
  readonly url: string;
  readonly endpointName: string;
  /** The default chain's unless given; a local endpoint looks at none, but the SDK signs with some. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export interface SageMakerEndpoint {
  readonly invoke: InvokeModel;
  close(): void;
}

/** The application asks 100 at a time; the SDK's own default of 50 sockets would make half of them wait. */
const MOST_SOCKETS = 128;
/** Two attempts fit in the 5 s after which the application gives a call up. */
const TIMEOUT_MS = 2000;
const ATTEMPTS = 2;

/** The service's answers to which the same question can succeed later, though their status says otherwise. */
const TEMPORARY: ReadonlySet<string> = new Set(['ModelNotReadyException', 'ThrottlingException']);

/** A model behind SageMaker's InvokeEndpoint, over kept connections. */
export function sageMakerEndpoint(options: SageMakerEndpointOptions): SageMakerEndpoint {
  const { region, url, endpointName, credentials } = options;
  // The SDK's own switch for its warning about Node versions that it is going to drop. We support Node 20 as long as it does.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const agent = { keepAlive: true, maxSockets: MOST_SOCKETS };
  const config: SageMakerRuntimeClientConfig = {
    region,
    maxAttempts: ATTEMPTS,
    // Given, because with TLS the SDK would take HTTP/2, and so another limit.
    requestHandler: new NodeHttpHandler({
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
      connectionTimeout: TIMEOUT_MS,
      requestTimeout: TIMEOUT_MS,
      throwOnRequestTimeout: true,
    }),
  };
  if (url !== '') config.endpoint = url;
  if (credentials !== undefined) config.credentials = credentials;
  const client = new SageMakerRuntimeClient(config);
  return {
    invoke: async (csv, about = {}) => {
      const attributes = customAttributes(about);
      try {
        const { Body } = await client.send(
          new InvokeEndpointCommand({
            EndpointName: endpointName,
            ContentType: 'text/csv',
            Accept: 'application/json',
            Body: csv,
            ...(attributes === '' ? {} : { CustomAttributes: attributes }),
          }),
        );
        return { kind: 'answer', body: Body?.transformToString('utf8') ?? '' };
      } catch (error) {
        return { kind: 'failure', isTemporary: isTemporary(error), why: described(error, endpointName) };
      }
    },
    close: () => client.destroy(),
  };
}

/** Also no connection and no answer in time; not: no such endpoint, no permission, a row the model refuses. */
function isTemporary(error: unknown): boolean {
  if (!(error instanceof SageMakerRuntimeServiceException)) return isOfTransport(error);
  const status = error.$metadata.httpStatusCode ?? 500;
  return status >= 500 || status === 429 || TEMPORARY.has(error.name);
}

function isOfTransport(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === 'TimeoutError' || ('code' in error && typeof error.code === 'string' && '$metadata' in error);
}

function described(error: unknown, endpointName: string): string {
  const name = error instanceof Error ? error.name : 'error';
  return `expected an answer of endpoint ${endpointName}, got ${name}: ${messageOf(error)}`;
}
