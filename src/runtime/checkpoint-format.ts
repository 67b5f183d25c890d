import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { messageOf, TenantAnalyticsError } from '../base/errors.ts';
import type { KeyChange, StageChanges } from './state-changes.ts';

/**
 * One file of a checkpoint: `TACHKPT`, format version, meta (JSON), state changes, CRC-32 of all before it.
 *
 * State changes are, for each keyed stage: its id, the version of its codec, and a list of keys, each with its state as
 * bytes or with a mark that it was removed. Nothing may follow the CRC.
 */
export const FORMAT_VERSION = 1;

const MAGIC = Uint8Array.from('TACHKPT', (letter) => letter.charCodeAt(0));
const CRC_BYTES = 4;

export interface CheckpointFile {
  readonly meta: CheckpointMeta;
  readonly stages: readonly StageChanges[];
}

export interface CheckpointMeta {
  readonly id: number;
  /** Names of the files whose changes come before this one's, oldest first; empty when this one holds all. */
  readonly chain: readonly string[];
  /** What the engine needs besides state; null in a base, which is state alone. */
  readonly body: unknown;
}

/** Why a file cannot be used: it is torn or was changed. Recovery falls back to an older one. */
export class CorruptFile extends Error {}

export function encodeCheckpoint(file: CheckpointFile): Uint8Array {
  const size = file.stages.reduce((sum, stage) => sum + stage.entries.length, 0);
  const to = new ByteWriter(size + 4096);
  to.bytes(MAGIC);
  to.varint(FORMAT_VERSION);
  to.text(JSON.stringify(file.meta));
  to.varint(file.stages.length);
  for (const stage of file.stages) {
    to.text(stage.stage);
    to.varint(stage.codecVersion);
    to.varint(stage.count);
    to.block(stage.entries);
  }
  const crc = crc32(to.view());
  for (let shift = 0; shift < 32; shift += 8) to.byte((crc >>> shift) & 0xff);
  return to.take(0);
}

/** Reads the part between version and CRC, for each format version there was. */
export type FormatReaders = Readonly<Record<number, (from: ByteReader) => CheckpointFile>>;

const READERS: FormatReaders = { 1: readVersion1 };

/**
 * Reads a file in this format or an older one.
 * @throws CorruptFile when it is torn, changed, or has bytes after its end
 * @throws TenantAnalyticsError CHECKPOINT_TOO_NEW when a newer version of the program wrote it
 */
export function decodeCheckpoint(bytes: Uint8Array, readers: FormatReaders = READERS): CheckpointFile {
  const end = bytes.length - CRC_BYTES;
  if (end < MAGIC.length || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new CorruptFile(`expected a checkpoint file, got ${bytes.length} bytes of something else`);
  }
  const expected = new DataView(bytes.buffer, bytes.byteOffset + end, CRC_BYTES).getUint32(0, true);
  const crc = crc32(bytes.subarray(0, end));
  if (crc !== expected) throw new CorruptFile(`expected CRC ${expected.toString(16)}, got ${crc.toString(16)}`);
  const from = new ByteReader(bytes.subarray(MAGIC.length, end));
  try {
    const version = from.varint();
    const read = readers[version];
    if (read === undefined) throw unknownVersion(version, readers);
    const file = read(from);
    if (from.remaining > 0) throw new CorruptFile(`expected its end, got ${from.remaining} more bytes`);
    return file;
  } catch (error) {
    if (error instanceof TenantAnalyticsError || error instanceof CorruptFile) throw error;
    throw new CorruptFile(messageOf(error));
  }
}

function unknownVersion(version: number, readers: FormatReaders): TenantAnalyticsError {
  const newest = Math.max(...Object.keys(readers).map(Number));
  return new TenantAnalyticsError(
    'CHECKPOINT_TOO_NEW',
    `The state was written in checkpoint format ${version}; this program reads formats up to ${newest}. Run the version that wrote it, or a newer one.`,
  );
}

function readVersion1(from: ByteReader): CheckpointFile {
  const meta = JSON.parse(from.text()) as CheckpointMeta;
  const stages: StageChanges[] = [];
  for (let left = from.varint(); left > 0; left--) {
    stages.push({ stage: from.text(), codecVersion: from.varint(), count: from.varint(), entries: from.block() });
  }
  return { meta, stages };
}

/** The keys of one stage's changes, one after the other. */
export function* keyChanges(changes: StageChanges): Generator<KeyChange> {
  const from = new ByteReader(changes.entries);
  for (let left = changes.count; left > 0; left--) {
    const key = from.text();
    yield { key, state: from.byte() === 1 ? from.block() : null };
  }
}
