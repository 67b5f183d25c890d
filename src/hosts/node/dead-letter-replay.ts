import { appendFile, open, readFile } from 'node:fs/promises';
import { messageOf, systemCode, TenantAnalyticsError } from '../../base/errors.ts';
import type { KinesisApi } from '../../connectors/kinesis/kinesis-api.ts';
import { KinesisRowStream } from '../../connectors/kinesis/record-writer.ts';
import type { World } from '../../runtime/ports.ts';
import { Pressure } from '../../runtime/pressure.ts';
import { deadLetterFolder, isFile, listDeadLetters, type StoredDeadLetter } from './dead-letters.ts';

export interface DeadLetterReplayRequest {
  /** A folder of dead letters, the output of a run, or a file as `dead-letters list --json` prints it. */
  readonly place: string;
  readonly reason: string | undefined;
  /** In place of the stream that a letter came from; letters of files need one. */
  readonly stream: string | undefined;
  /** Also those that were sent before. */
  readonly again: boolean;
  /** Sends nothing, and counts what would be sent. */
  readonly dryRun: boolean;
}

export interface DeadLetterReplayResult {
  readonly sent: number;
  /** Sent by an earlier call. */
  readonly before: number;
  /** Of records beyond the limit only the head was kept: they can be sent once `record` holds them whole. */
  readonly cut: number;
  /** Mended to more than 1 MiB, which a stream does not take; not sent. */
  readonly tooLarge: number;
}

/** The journal is written after so many. */
const BATCH = 500;

/**
 * Sends dead letters to their streams again, as they are or as `record` says, in their order. What was sent is written
 * to a journal beside them, so that a second call sends the rest: each at least once, twice only after a crash between the
 * two.
 * @throws TenantAnalyticsError USAGE, INPUT_UNREADABLE, INPUT_CORRUPT, STREAM_NOT_FOUND or KINESIS_REFUSED
 */
export async function replayDeadLetters(
  request: DeadLetterReplayRequest,
  api: Pick<KinesisApi, 'putRecords'>,
  world: World,
): Promise<DeadLetterReplayResult> {
  const { place, reason, again, dryRun } = request;
  const journal = new Journal(journalPath(place));
  const sentBefore = await journal.read();
  const streams = new Map<string, KinesisRowStream>();
  const pressure = new Pressure();
  const result = { sent: 0, before: 0, cut: 0, tooLarge: 0 };
  let batch: string[] = [];
  const settle = async () => {
    for (const stream of streams.values()) await stream.accepted();
    await journal.add(batch);
    batch = [];
  };
  try {
    for await (const letter of listDeadLetters(place, reason)) {
      const key = keyOf(letter);
      const stream = streamOf(letter, request);
      if (sentBefore.has(key) && !again) {
        result.before++;
      } else if (letter.reason === 'oversized' && letter.record === undefined) {
        result.cut++;
      } else {
        if (dryRun) {
          result.sent++;
          continue;
        }
        const writer = streams.get(stream) ?? openStream(stream, api, world, pressure);
        streams.set(stream, writer);
        const record = letter.record === undefined ? Buffer.from(letter.payload, 'base64') : Buffer.from(letter.record);
        const tooLarge = writer.tooLarge;
        writer.send(partitionKeyOf(record, letter), record);
        if (writer.tooLarge > tooLarge) {
          result.tooLarge++;
          continue;
        }
        result.sent++;
        batch.push(key);
        if (batch.length >= BATCH || pressure.full) await settle();
      }
    }
    await settle();
    return result;
  } catch (error) {
    // What was sent before it is sent; without this the next call would send it again.
    await settle().catch(() => undefined);
    throw error;
  } finally {
    for (const stream of streams.values()) await stream.close();
  }
}

function openStream(
  stream: string,
  api: Pick<KinesisApi, 'putRecords'>,
  world: World,
  pressure: Pressure,
): KinesisRowStream {
  const onFailure = () => undefined; // `accepted` tells it
  return new KinesisRowStream(api, world, pressure, { stream, parameter: '--stream', onFailure });
}

function streamOf(letter: StoredDeadLetter, { stream }: DeadLetterReplayRequest): string {
  if (stream !== undefined) return stream;
  if (letter.shardId !== null) return letter.source;
  throw new TenantAnalyticsError(
    'USAGE',
    `${letter.source}:${letter.sequenceNumber} came from a file, not from a stream. Say where to send it with --stream, or mend the file and replay that.`,
  );
}

/** Records of one company stay in order; one that does not tell its company may go anywhere. */
function partitionKeyOf(record: Buffer, letter: StoredDeadLetter): string {
  const match = /"(?:companyID|company_id|tenantID)"\s*:\s*"([^"]{1,128})"/.exec(record.toString('utf8'));
  return match?.[1] ?? letter.sequenceNumber;
}

function keyOf({ source, shardId, sequenceNumber }: StoredDeadLetter): string {
  return JSON.stringify([source, shardId, sequenceNumber]);
}

function journalPath(place: string): string {
  if (isFile(place)) return `${place}.replayed`;
  return `${deadLetterFolder(place) ?? place}/.replayed`;
}

/** Which dead letters were sent: one a line. */
class Journal {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async read(): Promise<ReadonlySet<string>> {
    try {
      return new Set((await readFile(this.#path, 'utf8')).split('\n'));
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return new Set();
      throw new TenantAnalyticsError('INPUT_UNREADABLE', `Cannot read ${this.#path}: ${messageOf(error)}.`, {
        cause: error,
      });
    }
  }

  async add(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await appendFile(this.#path, `${keys.join('\n')}\n`);
    const file = await open(this.#path, 'r');
    await file.sync();
    await file.close();
  }
}
