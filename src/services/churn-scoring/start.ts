import { readFile } from 'node:fs/promises';
import type { FastifyRequest } from 'fastify';
import { Registry } from 'prom-client';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import type { LogFields } from '../../observe/log.ts';
import type { Observation } from '../../observe/observation.ts';
import { observeRequests } from '../observe.ts';
import { isHere, listen, serviceServer } from '../server.ts';
import { churnScoring } from './app.ts';
import { churnModel } from './churn-model.ts';
import { fromCustomAttributes } from './custom-attributes.ts';
import { ModelHealth } from './model-health.ts';
import { modelServer } from './model-server.ts';
import { sageMakerEndpoint } from './sagemaker-endpoint.ts';
import { readScorecard, type Scorecard } from './scorecard.ts';
import { tracedInvoke } from './traced-invoke.ts';
import type { UsagePlan } from './usage-limit.ts';

export interface StartChurnScoringOptions {
  /** Of `POST /prod/assessChurn`; 0 takes a free one. */
  readonly port: number;
  /** The flag of the command line that chooses it: for who finds the port taken. */
  readonly flag?: string;
  /** Of the model server; a free one unless given. */
  readonly modelPort?: number;
  /** The key asked for as `x-api-key`; empty for none. */
  readonly apiKey: string;
  readonly usage?: UsagePlan;
  readonly warn?: (message: string, fields?: LogFields) => void;
  readonly observation?: Observation | undefined;
}

export interface ChurnScoring {
  /** Without a path: `POST {url}/prod/assessChurn`, `GET {url}/metrics`. */
  readonly url: string;
  readonly modelUrl: string;
  stop(): Promise<void>;
}

const ENDPOINT_NAME = 'tenant-churn';

/**
 * Churn scoring on this machine, its parts joined as on AWS: the route hands events to the handler, which asks the model
 * server through SageMaker's SDK over a real call.
 * @throws TenantAnalyticsError PORT_TAKEN, or SERVICE_FAILED
 */
export async function startChurnScoring(options: StartChurnScoringOptions): Promise<ChurnScoring> {
  const { port, flag = '--port', modelPort = 0, apiKey, usage, warn, observation } = options;
  const health = new ModelHealth(churnModel);
  const model = await startModelServer({ port: modelPort, flag: '--model-port', health, observation });
  const endpoint = sageMakerEndpoint({
    region: 'us-west-2',
    url: model.url,
    endpointName: ENDPOINT_NAME,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const server = serviceServer();
  const registry = new Registry();
  observeRequests(server, { ...observation, service: 'churn-scoring', registry });
  const { tracing } = observation ?? {};
  const stop = async () => {
    await server.close();
    endpoint.close();
    await model.stop();
  };
  try {
    await server.register(churnScoring, {
      apiKey,
      invoke: tracing === undefined ? endpoint.invoke : tracedInvoke(endpoint.invoke, ENDPOINT_NAME, tracing),
      health,
      registry,
      ...(usage === undefined ? {} : { usage }),
      ...(warn === undefined ? {} : { warn }),
    });
    return { url: await listen(server, { port, what: 'churn scoring', flag }), modelUrl: model.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export interface StartModelServerOptions {
  readonly port: number;
  /** 127.0.0.1 unless given: in a container, 0.0.0.0. */
  readonly host?: string;
  readonly flag?: string;
  readonly health?: ModelHealth;
  readonly observation?: Observation | undefined;
  /** The committed model unless given. */
  readonly modelFile?: string;
}

/**
 * The model server alone, as in SageMaker's container.
 * @throws TenantAnalyticsError PORT_TAKEN, SERVICE_FAILED, or of the model file INPUT_UNREADABLE, INPUT_CORRUPT
 */
export async function startModelServer(options: StartModelServerOptions): Promise<Omit<ChurnScoring, 'modelUrl'>> {
  const { port, host = '127.0.0.1', flag = '--port', modelFile, observation } = options;
  const model = modelFile === undefined ? churnModel : await readModelFile(modelFile);
  const health = options.health ?? new ModelHealth(model);
  const server = serviceServer(isHere(host));
  const registry = new Registry();
  const carried = (request: FastifyRequest) => fromCustomAttributes(request.headers);
  observeRequests(server, { ...observation, service: 'churn-model', registry, carried });
  await server.register(modelServer, { model, health, endpointName: ENDPOINT_NAME, registry });
  const url = await listen(server, { port, host, what: 'the model server', flag });
  return {
    url,
    stop: async () => {
      await server.close();
    },
  };
}

async function readModelFile(path: string): Promise<Scorecard> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new TenantAnalyticsError('INPUT_UNREADABLE', `--model-file: cannot read ${path}: ${messageOf(error)}`);
  });
  let artifact: unknown;
  try {
    artifact = JSON.parse(text);
  } catch (error) {
    throw new TenantAnalyticsError('INPUT_CORRUPT', `${path}: expected JSON, got: ${messageOf(error)}`);
  }
  return readScorecard(artifact, path);
}
