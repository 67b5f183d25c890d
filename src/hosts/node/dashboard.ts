import { aborted } from '../../base/abort.ts';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { type KinesisApi, KinesisFailure } from '../../connectors/kinesis/kinesis-api.ts';
import { type Access, type AccessRequest, readAccess } from '../../services/dashboard/access/settings.ts';
import type { PipelinePlaces } from '../../services/dashboard/pipeline-source.ts';
import { builtPage, startDashboard } from '../../services/dashboard/start.ts';
import { type AlertsRequest, NO_ALERTS, openAlerts } from './alerts.ts';
import { openRows, type S3Place } from './dashboard-rows.ts';
import type { HostWorld } from './node-world.ts';
import { openKinesis } from './open-kinesis.ts';
import { followStream } from './stream-feed.ts';

export interface DashboardRequest {
  /** 0 takes a free one. */
  readonly port: number;
  /** The flag of the command line that chooses the port: for who is refused. */
  readonly flag: string;
  /** JSON rows written before: a path, a `file:` URL or `s3://bucket/prefix`; what is not there has no rows. Empty: none are read. */
  readonly rowsFolder: string;
  /** For rows in S3. */
  readonly s3?: S3Place;
  /** Of enriched companies. */
  readonly stream: string;
  /** Where the built page lies; where the build puts it, unless given. */
  readonly webFolder?: string;
  /** Where the application runs, and tells how it is; nowhere unless given. */
  readonly pipeline?: PipelinePlaces;
  /** On 127.0.0.1, for anybody there, unless given. */
  readonly access?: Access;
  /** Where alerts go; none are sent unless given. */
  readonly alerts?: AlertsRequest;
}

export interface RunningDashboard {
  readonly url: string;
  /** Once the rows written before are in the answers, and the stream is read. Never rejects. */
  readonly caughtUp: Promise<void>;
  /** Resolves with the error that ended its reading, if one does. */
  readonly failed: Promise<unknown>;
  stop(): Promise<void>;
}

/**
 * The dashboard on this machine. It answers at once, and says that its numbers grow until it has caught up: with the rows
 * in files or in S3, then with the stream from the oldest record that it keeps. Rows that are in both count once.
 */
export async function openDashboard(
  request: DashboardRequest,
  api: KinesisApi,
  world: HostWorld,
): Promise<RunningDashboard> {
  const { port, flag, rowsFolder, stream, webFolder = builtPage() } = request;
  const pipeline = { metricsUrl: '', output: rowsFolder, ...request.pipeline };
  const { access, alerts: toAlert = NO_ALERTS } = request;
  const { clock, warn } = world;
  const rows = await openRows(rowsFolder, request.s3, world);
  const opened = await openAlerts(toAlert, world).catch(async (error: unknown) => {
    await rows.close();
    throw error;
  });
  const alerts = opened?.alerts;
  const { observation } = world;
  const service = await startDashboard(
    { port, flag, webFolder, pipeline, alerts, observation, ...(access === undefined ? {} : { access }) },
    { now: clock.now, warn, flipped: (flips) => alerts?.flipped(flips) },
  ).catch(async (error: unknown) => {
    await opened?.release();
    await rows.close();
    throw error;
  });
  const { dashboard, url } = service;
  const over = new AbortController();
  let isAtTip = () => false;
  const alerting = alerts?.run({ url, activity: () => dashboard.activity(), isAtTip: () => isAtTip() }, over.signal);
  const catching = dashboard.catchUp(rows.files, over.signal);
  const following = catching.then(async () => {
    if (over.signal.aborted) return;
    alerts?.caughtUp();
    const began = (ask: () => boolean) => {
      isAtTip = ask;
    };
    const options = { initial: { type: 'TRIM_HORIZON' }, room: () => dashboard.room(), began } as const;
    await followStream(api, stream, world, (data) => dashboard.ingest(data), over.signal, options).catch((error) => {
      throw explained(error, stream);
    });
  });
  const failed = new Promise<unknown>((resolve) => {
    following.catch(resolve);
    alerting?.catch(resolve);
    void dashboard.failed.then(resolve);
  });
  return {
    url,
    caughtUp: catching.catch(() => undefined),
    failed,
    async stop() {
      over.abort();
      await rows.close();
      await following.catch(() => undefined);
      await alerting?.catch(() => undefined);
      await opened?.release();
      await service.stop();
    },
  };
}

/** What keeps a stream from being read, for the person who can mend it. */
function explained(error: unknown, stream: string): unknown {
  if (!(error instanceof KinesisFailure)) return error;
  const came = `${error.message} (${error.code})`;
  const [code, message] =
    error.kind === 'not-found'
      ? ([
          'STREAM_NOT_FOUND',
          `there is no stream ${stream}: ${came}. Create it, or name another with --stream.`,
        ] as const)
      : error.kind === 'refused'
        ? ([
            'KINESIS_REFUSED',
            `cannot use stream ${stream}: ${came}. Look at credentials, permissions and region.`,
          ] as const)
        : ([
            'KINESIS_UNREACHABLE',
            `cannot reach stream ${stream}: ${came}. Look at the network, and start again.`,
          ] as const);
  return new TenantAnalyticsError(code, `The dashboard: ${message}`, { cause: error });
}

export interface DashboardProcess extends Omit<DashboardRequest, 'flag' | 'access'> {
  readonly access: AccessRequest;
  readonly region: string;
  /** Of a local Kinesis; '' is the region's. */
  readonly endpoint: string;
}

/** The dashboard alone, until the signal is aborted. */
export async function runDashboard(
  { region, endpoint, access: asked, ...request }: DashboardProcess,
  world: HostWorld,
  ready: (running: Pick<RunningDashboard, 'url' | 'caughtUp'>) => void,
  signal: AbortSignal,
): Promise<void> {
  const access = await readAccess(asked);
  const api = openKinesis(region, endpoint);
  try {
    const running = await openDashboard({ ...request, access, flag: '--port' }, api, world);
    try {
      ready(running);
      const failure = await Promise.race([running.failed, aborted(signal)]);
      if (failure !== undefined) throw failure;
    } finally {
      await running.stop();
    }
  } finally {
    api.close();
  }
}
