import { TenantAnalyticsError } from '../../base/errors.ts';
import type { World } from '../../runtime/ports.ts';
import { type KinesisApi, KinesisFailure } from './kinesis-api.ts';

const POLL_MS = 500;
const MOST_POLLS = 120;

/**
 * Registers a consumer for enhanced fan-out, or finds it, and waits until it can be used.
 * @returns its ARN
 * @throws TenantAnalyticsError KINESIS_REFUSED when it does not become active within a minute
 */
export async function registeredConsumer(
  api: KinesisApi,
  world: Pick<World, 'sleep'>,
  streamARN: string,
  stream: string,
  name: string,
): Promise<string> {
  const never = new AbortController().signal;
  let failure: KinesisFailure | undefined;
  for (let poll = 0; poll < MOST_POLLS; poll++) {
    try {
      const { arn, isActive } = await api.registerConsumer(streamARN, name);
      if (isActive) return arn;
      failure = undefined;
    } catch (error) {
      // One that a stopped run has just deregistered is still there for a moment, and cannot be registered.
      if (!(error instanceof KinesisFailure) || error.kind === 'refused') throw error;
      failure = error;
    }
    await world.sleep(POLL_MS, never);
  }
  throw new TenantAnalyticsError(
    'KINESIS_REFUSED',
    `The consumer ${name} of stream ${stream} did not become active within ${(POLL_MS * MOST_POLLS) / 1000} s${failure === undefined ? '' : `: ${failure.message} (${failure.code})`}. Try again later, or read with POLLING (jobs.stream.consumer).`,
    { cause: failure },
  );
}
