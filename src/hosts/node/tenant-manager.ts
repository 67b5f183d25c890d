import { aborted } from '../../base/abort.ts';
import { lockFolder } from '../../connectors/file/folder-lock.ts';
import type { KinesisApi } from '../../connectors/kinesis/kinesis-api.ts';
import { SIMULATOR_DEFAULTS } from '../../services/simulator/simulate.ts';
import { seedCompanies } from '../../services/tenant-manager/seed-companies.ts';
import {
  type RunningTenantManager,
  startTenantManager,
  type TenantManagerRequest,
} from '../../services/tenant-manager/server.ts';
import { eventWriter } from './event-writer.ts';
import { heldSecret } from './held-secret.ts';
import type { HostWorld } from './node-world.ts';
import { tracedPublish } from './observed.ts';
import { openKinesis } from './open-kinesis.ts';
import { secretOf } from './secret-parameters.ts';

/** TenantManager on this machine; its changes go to `stream`. */
export async function openTenantManager(
  request: TenantManagerRequest,
  stream: string,
  api: KinesisApi,
  world: HostWorld,
): Promise<RunningTenantManager> {
  const companies = eventWriter(api, world, 'companies.stream.name');
  const { clock, sleep, random, warn } = world;
  try {
    const { observation } = world;
    const put = (companyID: string, record: Uint8Array) => companies.put(stream, companyID, record);
    const publish = observation?.tracing === undefined ? put : tracedPublish(put, stream, observation.tracing);
    const here = { now: clock.now, sleep, random, warn, lockFolder, publish, observation };
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

export interface TenantManagerProcess {
  readonly folder: string;
  readonly databaseUrl: string;
  /** In the place of the URL's, or its ARN: it may be rotated while this runs. Empty: the URL's. */
  readonly databasePassword: string;
  readonly host: string;
  readonly port: number;
  /** Or its ARN of Secrets Manager, read once; empty for none. */
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
  { region, endpoint, stream, tenants, databasePassword, token, ...request }: TenantManagerProcess,
  world: HostWorld,
  ready: (running: Pick<RunningTenantManager, 'url' | 'database'>) => void,
  signal: AbortSignal,
): Promise<void> {
  const secret = (value: string, name: string) => async () => {
    const read = await secretOf(value, name, region);
    world.observation?.secrets.hide(read);
    return read;
  };
  const secrets = {
    token: await secret(token, 'TENANT_MANAGER_TOKEN')(),
    databasePassword:
      databasePassword === '' ? undefined : heldSecret(secret(databasePassword, 'DATABASE_PASSWORD'), world.clock.now),
  };
  const api = openKinesis(region, endpoint);
  try {
    const seed = seedCompanies(tenants, SIMULATOR_DEFAULTS.seed, world.clock.now());
    const running = await openTenantManager({ ...request, ...secrets, flag: '--port', seed }, stream, api, world);
    ready(running);
    await aborted(signal);
    await running.stop();
  } finally {
    api.close();
  }
}
