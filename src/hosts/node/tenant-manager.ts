import { lockFolder } from '../../connectors/file/folder-lock.ts';
import type { KinesisApi } from '../../connectors/kinesis/kinesis-api.ts';
import { KinesisRowStream } from '../../connectors/kinesis/record-writer.ts';
import type { World } from '../../runtime/ports.ts';
import { Pressure } from '../../runtime/pressure.ts';
import { SIMULATOR_DEFAULTS } from '../../services/simulator/simulate.ts';
import { seedCompanies } from '../../services/tenant-manager/seed-companies.ts';
import {
  type RunningTenantManager,
  startTenantManager,
  type TenantManagerRequest,
} from '../../services/tenant-manager/server.ts';
import { openKinesis } from './open-kinesis.ts';

/** TenantManager on this machine; its changes go to `stream`. */
export async function openTenantManager(
  request: TenantManagerRequest,
  stream: string,
  api: KinesisApi,
  world: World,
): Promise<RunningTenantManager> {
  const companies = recordWriter(stream, api, world);
  const { clock, sleep, random, warn } = world;
  try {
    const { publish } = companies;
    const here = { now: clock.now, sleep, random, warn, lockFolder, publish };
    const running = await startTenantManager(request, here);
    return {
      ...running,
      async stop() {
        await running.stop();
        await companies.close();
      },
    };
  } catch (error) {
    await companies.close();
    throw error;
  }
}

/** Sends again what Kinesis refuses for now. What it refuses for good rejects; the next call begins anew. */
function recordWriter(stream: string, api: KinesisApi, world: World) {
  let writer: KinesisRowStream | undefined;
  const onFailure = () => {
    writer = undefined;
  };
  const open = () =>
    new KinesisRowStream(api, world, new Pressure(), { stream, parameter: 'companies.stream.name', onFailure });
  return {
    async publish(partitionKey: string, data: Uint8Array): Promise<void> {
      writer ??= open();
      const mine = writer;
      mine.send(partitionKey, data);
      await mine.accepted();
    },
    async close(): Promise<void> {
      await writer?.close();
    },
  };
}

export interface TenantManagerProcess {
  readonly folder: string;
  readonly databaseUrl: string;
  readonly port: number;
  readonly token: string;
  readonly stream: string;
  readonly region: string;
  /** Of a local Kinesis; '' is the region's. */
  readonly endpoint: string;
  /** How many tenants a database begins with that has never had any. */
  readonly tenants: number;
}

/** TenantManager alone, until the signal is aborted. */
export async function runTenantManager(
  { region, endpoint, stream, tenants, ...request }: TenantManagerProcess,
  world: World,
  ready: (running: Pick<RunningTenantManager, 'url' | 'database'>) => void,
  signal: AbortSignal,
): Promise<void> {
  const api = openKinesis(region, endpoint);
  try {
    const seed = seedCompanies(tenants, SIMULATOR_DEFAULTS.seed, world.clock.now());
    const running = await openTenantManager({ ...request, flag: '--port', seed }, stream, api, world);
    ready(running);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await running.stop();
  } finally {
    api.close();
  }
}
