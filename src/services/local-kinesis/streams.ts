import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import { sleep } from '../../base/sleep.ts';

/** A stream that is to be there; one that is there keeps the shards it has. */
export interface StreamToHave {
  readonly name: string;
  readonly shards: number;
}

/** Creating a stream takes 500 ms. */
const ACTIVE_LIMIT_MS = 30_000;
const LOOK_AGAIN_MS = 25;

/**
 * Creates those that are missing, and waits until all are ACTIVE; returns early when the signal is aborted. Three plain
 * requests: the SDK's client would cost the start 200 ms, and who starts us is not always who reads the streams.
 */
export async function haveStreams(
  endpoint: string,
  streams: readonly StreamToHave[],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    streams.map(async ({ name, shards }) => {
      if ((await status(endpoint, name, signal)) === undefined && !signal.aborted) {
        await call(endpoint, 'CreateStream', { StreamName: name, ShardCount: shards }, signal);
      }
      for (let waited = 0; waited < ACTIVE_LIMIT_MS && !signal.aborted; waited += LOOK_AGAIN_MS) {
        if ((await status(endpoint, name, signal)) === 'ACTIVE') return;
        await sleep(LOOK_AGAIN_MS, signal);
      }
      if (!signal.aborted)
        throw failed(`expected stream ${name} to be ACTIVE within ${ACTIVE_LIMIT_MS} ms of its creation`);
    }),
  );
}

async function status(endpoint: string, name: string, signal: AbortSignal): Promise<string | undefined> {
  const text = await call(endpoint, 'DescribeStreamSummary', { StreamName: name }, signal);
  if (text === undefined) return undefined;
  const match = /"StreamStatus":"(\w+)"/.exec(text);
  return match?.[1];
}

/** The answer, or undefined when there is no such stream. */
async function call(
  endpoint: string,
  operation: string,
  body: Readonly<Record<string, string | number>>,
  signal: AbortSignal,
): Promise<string | undefined> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'x-amz-target': `Kinesis_20131202.${operation}`,
        'content-type': 'application/x-amz-json-1.1',
        // It wants a signature, and does not look at it but for the region.
        authorization:
          'AWS4-HMAC-SHA256 Credential=local/20250101/us-west-2/kinesis/aws4_request, SignedHeaders=host, Signature=0',
        'x-amz-date': '20250101T000000Z',
      },
      body: JSON.stringify(body),
      signal,
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    if (signal.aborted) return undefined;
    throw failed(`${operation}: ${messageOf(error)}`, error);
  }
  if (status === 200) return text;
  if (text.includes('ResourceNotFoundException')) return undefined;
  throw failed(`${operation}: expected 200, got ${status} ${text.slice(0, 200)}`);
}

function failed(what: string, cause?: unknown): TenantAnalyticsError {
  return new TenantAnalyticsError('SERVICE_FAILED', `local Kinesis: ${what}. Start again.`, { cause });
}
