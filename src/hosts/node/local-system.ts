import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { FastifyPluginAsync } from 'fastify';
import { messageOf, storageError, systemCode, TenantAnalyticsError } from '../../base/errors.ts';
import { lockFolder } from '../../connectors/file/folder-lock.ts';
import type { KinesisApi } from '../../connectors/kinesis/kinesis-api.ts';
import type { ParameterTexts } from '../../pipeline/parameters.ts';
import type { World } from '../../runtime/ports.ts';
import { churnScoring } from '../../services/churn-scoring/app.ts';
import { startLocalKinesis } from '../../services/local-kinesis/local-kinesis.ts';
import { listen, serviceServer } from '../../services/server.ts';
import { SIMULATOR_DEFAULTS, simulate } from '../../services/simulator/simulate.ts';
import { tenantManager } from '../../services/tenant-manager/app.ts';
import { seedCompanies, type Tenant } from '../../services/tenant-manager/seed-companies.ts';
import { eventWriter } from './event-writer.ts';
import { openKinesis } from './open-kinesis.ts';
import { type RunObserver, run } from './run.ts';
import { followStream } from './stream-feed.ts';

export interface LocalSystemRequest {
  /** Everything lies below it: streams, state, rows. */
  readonly folder: string;
  readonly kinesisPort: number;
  readonly tenantManagerPort: number;
  readonly churnScoringPort: number;
  /** Job events a second that the simulator sends; 0 for none. */
  readonly perSecond: number;
  /** What the user set stands over what this system sets. */
  readonly texts: ParameterTexts;
}

export interface LocalUrls {
  readonly kinesis: string;
  readonly tenantManager: string;
  readonly churnScoring: string;
  /** Of the rows. */
  readonly rows: string;
}

export interface LocalSystemObserver extends RunObserver {
  /** Everything but the application is up. */
  ready(urls: LocalUrls): void;
  /** An enriched company came on its stream. */
  arrived(data: Uint8Array): void;
}

const TENANTS = 300;
const STREAMS = { jobs: 'bigdatajobs', companies: 'companies', enriched: 'enrichedcompanies' } as const;

/**
 * The whole system on this machine: local Kinesis with its streams, the two services, the application and a simulator of
 * tenants, until the signal is aborted. What was in the streams, counted and written stays in the folder: started again it
 * goes on.
 *
 * Everything ends in the order of the flow: who sends, the application with its last checkpoint, the services, the streams.
 */
export async function runLocalSystem(
  request: LocalSystemRequest,
  world: World,
  observer: LocalSystemObserver,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const folder = resolve(request.folder);
  const over = new AbortController();
  const closing: (() => Promise<void>)[] = [];
  try {
    await world.files.makeFolder(folder).catch((error: unknown) => {
      throw storageError(error, `--folder: cannot make the folder ${folder}`);
    });
    // Before all else: a second one is refused at once, while the parts of one that was killed may still be ending.
    const lock = await lockFolder(folder);
    closing.push(() => lock.release());
    const life = await lifeOf(folder, world);
    const tenants = seedCompanies(TENANTS, SIMULATOR_DEFAULTS.seed, life.since);
    const kinesis = await startLocalKinesis({
      folder: `${folder}/kinesis`,
      port: request.kinesisPort,
      streams: Object.values(STREAMS).map((name) => ({ name, shards: 1 })),
      warn: world.warn,
      signal,
    });
    closing.push(() => kinesis.stop());
    const services = await startServices(request, tenants, closing);
    const rows = `${folder}/rows`;
    observer.ready({ kinesis: kinesis.endpoint, ...services, rows });

    const api = openKinesis('us-west-2', kinesis.endpoint);
    closing.push(async () => api.close());
    const beside = [
      startSimulator(request.perSecond, tenants, life, api, world, over.signal),
      followStream(api, STREAMS.enriched, world, (data) => observer.arrived(data), over.signal),
    ];
    const texts = withDefaults(request.texts, { ...services, kinesis: kinesis.endpoint, rows }, folder);
    return await runUntil(texts, world, observer, signal, [...beside, kinesis.failed], over);
  } finally {
    over.abort();
    for (const close of closing.reverse()) await close();
  }
}

/** Runs the application until the signal is aborted, or something beside it fails. */
async function runUntil(
  texts: ParameterTexts,
  world: World,
  observer: RunObserver,
  signal: AbortSignal,
  beside: readonly Promise<unknown>[],
  over: AbortController,
): Promise<Readonly<Record<string, number>>> {
  const failure: { error?: unknown } = {};
  let stop: () => void = () => undefined;
  const fail = (error: unknown) => {
    if (over.signal.aborted) return;
    failure.error = error;
    stop();
  };
  for (const part of beside) part.then((ended) => ended instanceof Error && fail(ended), fail);
  const running = run(texts, world, {
    started(engine, parameters, resumed) {
      stop = () => {
        over.abort();
        engine.stop();
      };
      if (signal.aborted || failure.error !== undefined) stop();
      else signal.addEventListener('abort', stop, { once: true });
      observer.started(engine, parameters, resumed);
    },
  });
  const counters = await running.catch((error: unknown) => {
    throw failure.error ?? error;
  });
  if (failure.error !== undefined) throw failure.error;
  return counters;
}

async function startServices(
  { tenantManagerPort, churnScoringPort }: LocalSystemRequest,
  tenants: readonly Tenant[],
  closing: (() => Promise<void>)[],
): Promise<Pick<LocalUrls, 'tenantManager' | 'churnScoring'>> {
  const start = async <O extends object>(
    plugin: FastifyPluginAsync<O>,
    options: O,
    at: { port: number; what: string; flag: string },
  ) => {
    const server = serviceServer();
    await server.register(plugin as FastifyPluginAsync<object>, options);
    const url = await listen(server, at);
    closing.push(async () => {
      await server.close();
    });
    return url;
  };
  return {
    tenantManager: await start(
      tenantManager,
      { tenants, token: '' },
      { port: tenantManagerPort, what: 'TenantManager', flag: '--tenant-manager-port' },
    ),
    churnScoring: await start(
      churnScoring,
      { apiKey: '' },
      { port: churnScoringPort, what: 'churn scoring', flag: '--churn-scoring-port' },
    ),
  };
}

/** The parameters of a local system, where the user has not set others. */
function withDefaults(
  texts: ParameterTexts,
  { kinesis, tenantManager, churnScoring, rows }: LocalUrls,
  folder: string,
): ParameterTexts {
  return {
    ConsumerConfigProperties: {
      'aws.endpoint': kinesis,
      'jobs.stream.initial.position': 'TRIM_HORIZON',
      'companies.stream.initial.position': 'TRIM_HORIZON',
      ...texts.ConsumerConfigProperties,
    },
    ProducerConfigProperties: { ...texts.ProducerConfigProperties },
    ApplicationConfigProperties: {
      S3SinkPath: pathToFileURL(rows).href,
      'sink.roll.age': '30 s',
      tenantManagerEndpoint: tenantManager,
      predictChurnApiEndpoint: `${churnScoring}/prod/assessChurn`,
      'data.dir': folder,
      ...texts.ApplicationConfigProperties,
    },
  };
}

async function startSimulator(
  perSecond: number,
  companies: readonly Tenant[],
  { since, isFirstStart }: SystemLife,
  api: KinesisApi,
  world: World,
  signal: AbortSignal,
): Promise<void> {
  if (perSecond === 0) return;
  const writer = eventWriter(api, world);
  const { jobs: jobsStream, companies: companiesStream } = STREAMS;
  const options = { ...SIMULATOR_DEFAULTS, companies, jobsStream, companiesStream, perSecond, since, isFirstStart };
  try {
    await simulate(options, writer, { now: world.clock.now, sleep: world.sleep }, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await writer.close();
  }
}

/** When this system was started for the first time: its tenants live since then. */
interface SystemLife {
  readonly since: number;
  readonly isFirstStart: boolean;
}

async function lifeOf(folder: string, world: World): Promise<SystemLife> {
  const path = `${folder}/system.json`;
  try {
    const { since } = JSON.parse(await readFile(path, 'utf8')) as { since: unknown };
    if (typeof since === 'number') return { since, isFirstStart: false };
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') {
      throw new TenantAnalyticsError(
        'INPUT_CORRUPT',
        `${path}: expected {"since": …}, got: ${messageOf(error)}. Remove the file: the tenants then begin anew.`,
      );
    }
  }
  const since = world.clock.now();
  await writeFile(path, `${JSON.stringify({ since })}\n`);
  return { since, isFirstStart: true };
}
