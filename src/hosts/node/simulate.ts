import { onAbort } from '../../base/abort.ts';
import type { World } from '../../runtime/ports.ts';
import { SIMULATOR_DEFAULTS, type Simulated, simulate } from '../../services/simulator/simulate.ts';
import { seedCompanies } from '../../services/tenant-manager/seed-companies.ts';
import { eventWriter } from './event-writer.ts';
import { openKinesis } from './open-kinesis.ts';

interface StreamsAt {
  readonly region: string;
  /** Of a local Kinesis; '' is the region's. */
  readonly endpoint: string;
}

export interface SimulateRequest extends StreamsAt {
  readonly jobsStream: string;
  readonly companiesStream: string;
  readonly perSecond: number;
  readonly tenants: number;
  readonly seed: number;
  readonly historyDays: number;
  readonly brokenShare: number;
}

/** Sends events of simulated tenants until the signal is aborted. */
export async function simulateTenants(request: SimulateRequest, world: World, signal: AbortSignal): Promise<Simulated> {
  const api = openKinesis(request.region, request.endpoint);
  const writer = eventWriter(api, world, 'the stream of the simulator');
  const since = world.clock.now();
  const options = {
    ...SIMULATOR_DEFAULTS,
    ...request,
    companies: seedCompanies(request.tenants, request.seed, since),
    since,
    isFirstStart: true,
  };
  const sent: Simulated = { companies: 0, jobs: 0, broken: 0 };
  // Out of reach, a put would be tried for ever: a stop ends it.
  const takeBack = onAbort(signal, () => void writer.close());
  try {
    await simulate(options, writer, { now: world.clock.now, sleep: world.sleep }, signal, sent);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    takeBack();
    await writer.close();
    api.close();
  }
  return sent;
}

export interface SendRequest extends StreamsAt {
  readonly stream: string;
  readonly partitionKey: string;
  readonly records: readonly string[];
}

/** Sends records as they are, in their order, and waits until they were accepted. */
export async function sendRecords(request: SendRequest, world: World): Promise<void> {
  const api = openKinesis(request.region, request.endpoint);
  const writer = eventWriter(api, world, '--stream');
  try {
    for (const record of request.records) {
      await writer.put(request.stream, request.partitionKey, new TextEncoder().encode(record));
    }
  } finally {
    await writer.close();
    api.close();
  }
}
