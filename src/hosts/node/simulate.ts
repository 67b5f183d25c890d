import { onAbort } from '../../base/abort.ts';
import { DAY_MS, type EpochMs } from '../../base/time.ts';
import type { World } from '../../runtime/ports.ts';
import type { Shape } from '../../services/simulator/shape.ts';
import {
  nothingSent,
  SIMULATOR_DEFAULTS,
  type Simulated,
  type SimulatorOptions,
  simulate,
} from '../../services/simulator/simulate.ts';
import { seedCompanies } from '../../services/tenant-manager/seed-companies.ts';
import { aggregatingWriter } from './aggregating-writer.ts';
import { eventWriter, OF_A_COMMAND } from './event-writer.ts';
import { openKinesis } from './open-kinesis.ts';
import { simulatedFiles } from './simulated-files.ts';

interface StreamsAt {
  readonly region: string;
  /** Of a local Kinesis; '' is the region's. */
  readonly endpoint: string;
}

export interface SimulatedTenants {
  readonly tenants: number;
  readonly seed: number;
  readonly perSecond: number;
  readonly shape: Shape;
  readonly fading: number;
  readonly dayMs: number;
  readonly historyDays: number;
  readonly brokenShare: number;
  /** Job events after which it ends. */
  readonly mostJobs: number;
}

export interface SimulateRequest extends StreamsAt, SimulatedTenants {
  readonly jobsStream: string;
  readonly companiesStream: string;
  /** Events of one company that wait are put together in the KPL's format. */
  readonly aggregate: boolean;
}

/** Sends events of simulated tenants until the signal is aborted, or there are no more. */
export async function simulateTenants(request: SimulateRequest, world: World, signal: AbortSignal): Promise<Simulated> {
  const { region, endpoint, jobsStream, companiesStream } = request;
  const api = openKinesis(region, endpoint);
  const option = (stream: string) => (stream === jobsStream ? '--jobs-stream' : '--companies-stream');
  const writer = eventWriter(api, world, option, OF_A_COMMAND);
  const options = simulatorOptions(request, world.clock.now(), jobsStream, companiesStream);
  const sent = nothingSent();
  // Out of reach, a put would be tried for ever: a stop ends it.
  const takeBack = onAbort(signal, () => void writer.close());
  try {
    const put = request.aggregate ? aggregatingWriter(writer) : writer;
    await simulate(options, put, { now: world.clock.now, sleep: world.sleep }, signal, sent);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    takeBack();
    await writer.close();
    api.close();
  }
  return sent;
}

export interface SimulateFilesRequest extends SimulatedTenants {
  readonly folder: string;
  /** When the tenants begin. */
  readonly since: EpochMs;
}

/**
 * The same events as files that `replay` reads, as fast as they can be written: each event with its time.
 * @throws TenantAnalyticsError OUTPUT_OCCUPIED when there is such a file already, STORAGE_FULL, STORAGE_FAILED
 */
export async function simulateFiles(request: SimulateFilesRequest, signal: AbortSignal): Promise<Simulated> {
  const files = await simulatedFiles(request.folder);
  let now = request.since;
  const sleep = async (ms: number) => {
    now += ms;
  };
  const options = simulatorOptions(request, request.since, files.jobs, files.companies);
  try {
    // A file has one format.
    return await simulate(
      { ...options, withCreationDate: true, csvShare: 0 },
      files,
      { now: () => now, sleep },
      signal,
    );
  } finally {
    await files.close();
  }
}

function simulatorOptions(
  request: SimulatedTenants,
  since: EpochMs,
  jobsStream: string,
  companiesStream: string,
): SimulatorOptions {
  const { tenants, seed, perSecond, shape, fading, dayMs, historyDays, brokenShare, mostJobs } = request;
  // Counted as of the day before the first event, so that the records come before all events.
  const companies = seedCompanies(tenants, seed, since - historyDays * DAY_MS);
  return {
    ...SIMULATOR_DEFAULTS,
    ...{ companies, jobsStream, companiesStream, since, isFirstStart: true },
    ...{ seed, perSecond, shape, fading, dayMs, historyDays, brokenShare, mostJobs },
  };
}

export interface SendRequest extends StreamsAt {
  readonly stream: string;
  readonly partitionKey: string;
  readonly records: readonly string[];
}

/** Sends records as they are, in their order, and waits until they were accepted. */
export async function sendRecords(request: SendRequest, world: World): Promise<void> {
  const api = openKinesis(request.region, request.endpoint);
  const writer = eventWriter(api, world, '--stream', OF_A_COMMAND);
  try {
    for (const record of request.records) {
      await writer.put(request.stream, request.partitionKey, new TextEncoder().encode(record));
    }
  } finally {
    await writer.close();
    api.close();
  }
}
