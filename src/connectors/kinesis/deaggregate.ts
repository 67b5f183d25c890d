import { createHash } from 'node:crypto';
import { PbfReader } from 'pbf';
import { DATA, DIGEST_BYTES, MAGIC, PARTITION_KEY_INDEX, RECORDS } from './kpl-format.ts';

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/**
 * The user records in one Kinesis record, in their order, as views of its bytes; null when it is a plain record: one whose
 * magic, checksum or message does not fit, as the KPL's own readers decide. So is one without any user record: as an
 * aggregate it would be gone without a trace. Never throws. Each user record takes at least six bytes, whatever is claimed.
 *
 * Keys are not looked at; no user record is left out for its key: docs/decisions/0009-kpl-records-are-not-filtered.md.
 */
export function userRecords(data: Uint8Array): Uint8Array[] | null {
  if (data.length <= MAGIC.length + DIGEST_BYTES || MAGIC.some((byte, index) => data[index] !== byte)) return null;
  const message = data.subarray(MAGIC.length, data.length - DIGEST_BYTES);
  const digest = createHash('md5').update(message).digest();
  if (!digest.equals(data.subarray(data.length - DIGEST_BYTES))) return null;
  try {
    const records = recordsOf(message);
    return records.length > 0 ? records : null;
  } catch {
    // Whoever can compute an MD5 can send anything after it.
    return null;
  }
}

function recordsOf(message: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  const pbf = new PbfReader(message);
  forEachField(pbf, message.length, (field) => {
    if (field !== RECORDS || pbf.type !== LENGTH_DELIMITED) return;
    let data: Uint8Array | undefined;
    let hasKey = false;
    forEachField(pbf, endOfValue(pbf, message.length), (inner, end) => {
      if (inner === DATA && pbf.type === LENGTH_DELIMITED) {
        const endOfData = endOfValue(pbf, end);
        data = message.subarray(pbf.pos, endOfData);
        pbf.pos = endOfData;
      } else if (inner === PARTITION_KEY_INDEX && pbf.type === VARINT) {
        pbf.readVarint();
        hasKey = true;
      }
    });
    if (data === undefined || !hasKey) throw new Error('a required field is missing');
    records.push(data);
  });
  return records;
}

/** Fields that `read` does not read are passed over. */
function forEachField(pbf: PbfReader, end: number, read: (field: number, end: number) => void): void {
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end)) read(field, end);
  // The library reads on over the end of a message, and stops at a field 0.
  if (pbf.pos !== end) throw new Error('the message does not end where it should');
}

/** Where a value that carries its length ends; `pbf.pos` is then where it begins. */
function endOfValue(pbf: PbfReader, outerEnd: number): number {
  const length = pbf.readVarint();
  if (pbf.pos + length > outerEnd) throw new Error('a length beyond its message');
  return pbf.pos + length;
}
