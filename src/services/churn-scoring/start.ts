import { readFile } from 'node:fs/promises';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import { listen, serviceServer } from '../server.ts';
import { churnScoring } from './app.ts';
import { churnModel } from './churn-model.ts';
import { ModelHealth } from './model-health.ts';
import { modelServer } from './model-server.ts';
import { sageMakerEndpoint } from './sagemaker-endpoint.ts';
import { readScorecard, type Scorecard } from './scorecard.ts';
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
  readonly warn?: (message: string) => void;
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
  const { port, flag = '--port', modelPort = 0, apiKey, usage, warn } = options;
  const health = new ModelHealth(churnModel);
  const model = await startModelServer({ port: modelPort, flag: '--model-port', health });
  const endpoint = sageMakerEndpoint({
    region: 'us-west-2',
    url: model.url,
    endpointName: ENDPOINT_NAME,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const server = serviceServer();
  const stop = async () => {
    await server.close();
    endpoint.close();
    await model.stop();
  };
  try {
    await server.register(churnScoring, {
      apiKey,
      invoke: endpoint.invoke,
      health,
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
  /** The committed model unless given. */
  readonly modelFile?: string;
}

/**
 * The model server alone, as in SageMaker's container.
 * @throws TenantAnalyticsError PORT_TAKEN, SERVICE_FAILED, or of the model file INPUT_UNREADABLE, INPUT_CORRUPT
 */
export async function startModelServer(options: StartModelServerOptions): Promise<Omit<ChurnScoring, 'modelUrl'>> {
  const { port, host = '127.0.0.1', flag = '--port', modelFile } = options;
  const model = modelFile === undefined ? churnModel : await readModelFile(modelFile);
  const health = options.health ?? new ModelHealth(model);
  const server = serviceServer(host === '127.0.0.1');
  await server.register(modelServer, { model, health, endpointName: ENDPOINT_NAME });
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
