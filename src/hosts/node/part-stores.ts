import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import type { Limits } from '../../base/limits.ts';
import { FilePartStore } from '../../connectors/file/part-store.ts';
import type { Parameters } from '../../pipeline/parameters.ts';
import type { ObjectSink } from '../../runtime/contract.ts';
import type { PartStore, World } from '../../runtime/ports.ts';
import type { Pressure } from '../../runtime/pressure.ts';

export interface PartStoreSetting {
  readonly world: World;
  readonly pressure: Pressure;
  readonly parameters: Parameters;
  readonly limits: Limits;
  /** What fails for good while rows are written, or on their way. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * The store for the parts of one sink, by the scheme of its path: `file:///…`, or `s3://…` through a folder under
 * `data.dir`. To be restored before anything else is asked of it.
 * @throws TenantAnalyticsError PARAMETER_INVALID when the path is neither
 */
export async function openPartStore(sink: ObjectSink<unknown>, setting: PartStoreSetting): Promise<PartStore> {
  const { world, pressure, parameters, limits, onFailure } = setting;
  const { extension, rollBytes, rollAgeMs } = sink;
  const options = { extension, rollBytes, rollAgeMs, newRunID: randomBytes(4).toString('hex'), limits };
  if (!sink.path.startsWith('s3://')) {
    return new FilePartStore(world, pressure, { ...options, folder: folderOf(sink.path) }, onFailure);
  }
  const { application, consumer } = parameters;
  const spool = resolve(application['data.dir'], 'spool', sink.id);
  // Only now: the SDK takes a while to load, and most who replay files have no use for it.
  const { s3Shelf } = await import('../../connectors/s3/s3-shelf.ts');
  const shelf = s3Shelf(world, {
    path: sink.path,
    parameter: sink.path === application.deadLetterPath ? 'deadLetterPath' : 'S3SinkPath',
    region: consumer['aws.region'],
    endpoint: application['s3.endpoint'],
    pathStyle: application['s3.pathStyle'],
    spool,
    limits,
  });
  return new FilePartStore(world, pressure, { ...options, folder: spool, shelf }, onFailure);
}

/** @throws TenantAnalyticsError PARAMETER_INVALID when it is not `file:///folder` */
export function folderOf(path: string): string {
  try {
    return fileURLToPath(path);
  } catch (error) {
    throw new TenantAnalyticsError('PARAMETER_INVALID', `${path}: expected file:///folder: ${messageOf(error)}`);
  }
}
