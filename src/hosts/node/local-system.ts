import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onAbort } from '../../base/abort.ts';
import { messageOf, storageError, systemCode, TenantAnalyticsError } from '../../base/errors.ts';
import { lockFolder } from '../../connectors/file/folder-lock.ts';
import type { KinesisApi } from '../../connectors/kinesis/kinesis-api.ts';
import type { ParameterTexts } from '../../pipeline/parameters.ts';
import { startChurnScoring } from '../../services/churn-scoring/start.ts';
import { startLocalKinesis } from '../../services/local-kinesis/local-kinesis.ts';
import { SIMULATOR_DEFAULTS, simulate } from '../../services/simulator/simulate.ts';
import { seedCompanies, type Tenant } from '../../services/tenant-manager/seed-companies.ts';
import { type AlertsRequest, checkAlerts } from './alerts.ts';
import { type DashboardRequest, openDashboard } from './dashboard.ts';
import { eventWriter } from './event-writer.ts';
import { serveMetrics } from './metrics-server.ts';
import type { HostWorld } from './node-world.ts';
import { openKinesis } from './open-kinesis.ts';
import { type Running, type RunObserver, run } from './run.ts';
import { followStream } from './stream-feed.ts';
import { openTenantManager } from './tenant-manager.ts';

export interface LocalSystemRequest {
  /** Everything lies below it: streams, state, rows. */
  readonly folder: string;
  readonly kinesisPort: number;
  readonly tenantManagerPort: number;
  readonly churnScoringPort: number;
  /** Of the application's metrics. */
  readonly metricsPort: number;
  readonly dashboardPort: number;
  /** What the dashboard tells of tenants, and to whom. */
  readonly alerts: AlertsRequest;
  /** Of a PostgreSQL server for TenantManager; empty: a database of its own in the folder. */
  readonly databaseUrl: string;
  /** Job events a second that the simulator sends; 0 for none. */
  readonly perSecond: number;
  /** What the user set stands over what this system sets. */
  readonly texts: ParameterTexts;
}

export interface LocalUrls {
  readonly kinesis: string;
  readonly tenantManager: string;
  readonly churnScoring: string;
  /** Churn scoring asks for it; made anew at each start. */
  readonly apiKey: string;
  /** Of the application, for Prometheus. */
  readonly metrics: string;
  readonly dashboard: string;
  /** Of the rows. */
  readonly rows: string;
}

type Services = Pick<LocalUrls, 'tenantManager' | 'churnScoring' | 'apiKey'>;

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
  world: HostWorld,
  observer: LocalSystemObserver,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  checkAlerts(request.alerts);
  const folder = resolve(request.folder);
  const over = new AbortController();
  const closing: (() => Promise<void>)[] = [];
  const running: { engine?: Running } = {};
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
    const api = openKinesis('us-west-2', kinesis.endpoint);
    closing.push(async () => api.close());
    const services = await startServices(request, tenants, folder, api, world, closing);
    const metrics = await serveMetrics(() => running.engine, world.clock, request.metricsPort);
    closing.push(() => metrics.stop());
    const rows = `${folder}/rows`;
    const dashboard = await openDashboard(
      {
        port: request.dashboardPort,
        flag: '--dashboard-port',
        ...rowsOf(request.texts, rows),
        stream: STREAMS.enriched,
        pipeline: { metricsUrl: metrics.url, modelMetricsUrl: `${services.churnScoring}/metrics` },
        alerts: request.alerts,
      },
      api,
      world,
    );
    closing.push(() => dashboard.stop());
    const ends = { kinesis: kinesis.endpoint, metrics: metrics.url, dashboard: dashboard.url, rows };
    const urls = { ...ends, ...services };
    observer.ready(urls);
    const beside = [
      startSimulator(request.perSecond, tenants, life, api, world, over.signal),
      followStream(api, STREAMS.enriched, world, (data) => observer.arrived(data), over.signal),
    ];
    const texts = withDefaults(request.texts, urls, folder);
    const watched: RunObserver = {
      started(engine, ...more) {
        running.engine = engine;
        observer.started(engine, ...more);
      },
    };
    const counters = await runUntil(texts, world, watched, signal, [...beside, kinesis.failed, dashboard.failed], over);
    over.abort();
    await closeAll(closing.splice(0));
    return counters;
  } finally {
    over.abort();
    // After a failure: that is told, and not what it brings about.
    await closeAll(closing).catch(() => undefined);
  }
}

/** Runs the application until the signal is aborted, or something beside it fails. */
async function runUntil(
  texts: ParameterTexts,
  world: HostWorld,
  observer: RunObserver,
  signal: AbortSignal,
  beside: readonly Promise<unknown>[],
  over: AbortController,
): Promise<Readonly<Record<string, number>>> {
  const failure: { error?: unknown } = {};
  /** Without a last checkpoint: the streams, or what else failed, would only hold it up. */
  let end: (error: unknown) => void = () => undefined;
  const fail = (error: unknown) => {
    if (over.signal.aborted) return;
    failure.error = error;
    end(error);
  };
  for (const part of beside) part.then((ended) => ended instanceof Error && fail(ended), fail);
  const running = run(texts, world, {
    started(engine, parameters, resumed) {
      const stop = () => {
        over.abort();
        engine.stop();
      };
      end = (error) => {
        over.abort();
        engine.fail(error);
      };
      if (failure.error !== undefined) end(failure.error);
      else if (signal.aborted) stop();
      else onAbort(signal, stop);
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
  { tenantManagerPort, churnScoringPort, databaseUrl }: LocalSystemRequest,
  tenants: readonly Tenant[],
  folder: string,
  api: KinesisApi,
  world: HostWorld,
  closing: (() => Promise<void>)[],
): Promise<Services> {
  const apiKey = randomBytes(16).toString('hex');
  world.observation?.secrets.hide(apiKey);
  const churnScoring = await startChurnScoring({
    port: churnScoringPort,
    flag: '--churn-scoring-port',
    apiKey,
    warn: world.warn,
    observation: world.observation,
  });
  closing.push(() => churnScoring.stop());
  const tenantManager = await openTenantManager(
    {
      folder: `${folder}/tenant-manager`,
      databaseUrl,
      port: tenantManagerPort,
      flag: '--tenant-manager-port',
      token: '',
      seed: tenants,
    },
    STREAMS.companies,
    api,
    world,
  );
  closing.push(() => tenantManager.stop());
  return { tenantManager: tenantManager.url, churnScoring: churnScoring.url, apiKey };
}

/** Where the application writes its rows: the user may have set another place than the folder of this system. */
function rowsOf(texts: ParameterTexts, folder: string): Pick<DashboardRequest, 'rowsFolder' | 's3'> {
  const { ConsumerConfigProperties: consumer = {}, ApplicationConfigProperties: application = {} } = texts;
  return {
    rowsFolder: application.S3SinkPath ?? folder,
    s3: {
      region: consumer['aws.region'] ?? 'us-west-2',
      endpoint: application['s3.endpoint'] ?? '',
      pathStyle: application['s3.pathStyle'] === 'true',
      parameter: 'S3SinkPath',
    },
  };
}

/** The parameters of a local system, where the user has not set others. */
function withDefaults(
  texts: ParameterTexts,
  { kinesis, tenantManager, churnScoring, apiKey, rows }: LocalUrls,
  folder: string,
): ParameterTexts {
  const scoring =
    texts.ApplicationConfigProperties?.predictChurnApiEndpoint === undefined
      ? { predictChurnApiEndpoint: `${churnScoring}/prod/assessChurn`, predictChurnApiKey: apiKey }
      : {};
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
      ...scoring,
      'data.dir': folder,
      ...texts.ApplicationConfigProperties,
    },
  };
}

async function startSimulator(
  perSecond: number,
  companies: readonly Tenant[],
  { since }: SystemLife,
  api: KinesisApi,
  world: HostWorld,
  signal: AbortSignal,
): Promise<void> {
  if (perSecond === 0) return;
  const writer = eventWriter(api, world, 'the stream of the simulator');
  // What was not accepted by then is given up: a Kinesis that is gone must not hold up the end.
  onAbort(signal, () => writer.close());
  const { jobs: jobsStream, companies: companiesStream } = STREAMS;
  // TenantManager has sent them to their stream.
  const life = { since, isFirstStart: false };
  const options = { ...SIMULATOR_DEFAULTS, ...life, companies, jobsStream, companiesStream, perSecond };
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
}

async function lifeOf(folder: string, world: HostWorld): Promise<SystemLife> {
  const path = `${folder}/system.json`;
  try {
    const { since } = JSON.parse(await readFile(path, 'utf8')) as { since: unknown };
    if (typeof since === 'number') return { since };
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
  return { since };
}

/** In the order of the flow; one that fails keeps none of the others open. */
async function closeAll(closing: readonly (() => Promise<void>)[]): Promise<void> {
  const failure: { error?: unknown } = {};
  for (const close of closing.toReversed()) {
    await close().catch((error: unknown) => {
      failure.error ??= error;
    });
  }
  if (failure.error !== undefined) throw failure.error;
}
