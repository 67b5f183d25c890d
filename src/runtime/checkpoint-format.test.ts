import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../base/bytes.ts';
import { TenantAnalyticsError } from '../base/errors.ts';
import {
  type CheckpointFile,
  CorruptFile,
  decodeCheckpoint,
  encodeCheckpoint,
  FORMAT_VERSION,
  type FormatReaders,
  keyChanges,
} from './checkpoint-format.ts';
import type { KeyChange, StageChanges } from './state-changes.ts';

function changesOf(stage: string, codecVersion: number, changes: readonly KeyChange[]): StageChanges {
  const to = new ByteWriter(8);
  for (const { key, state } of changes) {
    to.text(key);
    to.byte(state === null ? 0 : 1);
    if (state !== null) to.block(state);
  }
  return { stage, codecVersion, count: changes.length, entries: to.take() };
}

const anyChange: fc.Arbitrary<KeyChange> = fc.record({
  key: fc.string({ unit: 'binary', maxLength: 10 }),
  state: fc.option(fc.uint8Array({ maxLength: 20 })),
});
const anyFile: fc.Arbitrary<CheckpointFile> = fc.record({
  meta: fc.record({
    id: fc.maxSafeNat(),
    chain: fc.array(fc.string({ unit: 'grapheme' })),
    body: fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value))),
  }),
  stages: fc.array(
    fc.tuple(fc.string({ unit: 'grapheme' }), fc.nat(300), fc.array(anyChange)).map((parts) => changesOf(...parts)),
    { maxLength: 4 },
  ),
});
const plain = ({ meta, stages }: CheckpointFile): object => ({
  meta,
  stages: stages.map((stage) => ({ ...stage, entries: [...stage.entries] })),
});

const file: CheckpointFile = {
  meta: { id: 7, chain: ['base-000006'], body: { watermark: null, counters: { rows: 5 } } },
  stages: [
    changesOf('company-activity', 1, [
      { key: 'comp_1', state: Uint8Array.of(1, 2, 3) },
      { key: 'gone', state: null },
      { key: 'empty', state: new Uint8Array(0) },
    ]),
    changesOf('churn-risk', 3, []),
  ],
};

/** A whole file of another format: version and body as given, its CRC right. */
function fileOf(version: number, body: (to: ByteWriter) => void): Uint8Array {
  const to = new ByteWriter(64);
  to.utf8('TACHKPT');
  to.varint(version);
  body(to);
  const crc = crc32(to.view());
  for (const shift of [0, 8, 16, 24]) to.byte((crc >>> shift) & 0xff);
  return to.take();
}

function expectCorrupt(bytes: Uint8Array, what: string): void {
  try {
    decodeCheckpoint(bytes);
  } catch (error) {
    if (error instanceof CorruptFile) return;
    throw error;
  }
  expect.fail(`${what} was accepted`);
}

describe('a checkpoint file', () => {
  test('comes back as it was written, also out of a larger buffer', () => {
    fc.assert(
      fc.property(anyFile, fc.nat(9), (written, before) => {
        const bytes = encodeCheckpoint(written);
        const larger = new Uint8Array(bytes.length + before + 5).fill(0xaa);
        larger.set(bytes, before);
        expect(plain(decodeCheckpoint(larger.subarray(before, before + bytes.length)))).toEqual(plain(written));
      }),
    );
  });

  test('holds the keys that changed and those that went, each with its own bytes', () => {
    const [activity, risk] = decodeCheckpoint(encodeCheckpoint(file)).stages;
    const changes = [...keyChanges(activity ?? expect.fail('no stage'))];
    expect(changes.map(({ key, state }) => [key, state === null ? null : [...state]])).toEqual([
      ['comp_1', [1, 2, 3]],
      ['gone', null],
      ['empty', []],
    ]);
    expect([...keyChanges(risk ?? expect.fail('no stage'))]).toEqual([]);
    expect(risk).toMatchObject({ stage: 'churn-risk', codecVersion: 3 });
  });

  test('keeps any keys and states', () => {
    fc.assert(
      fc.property(fc.array(anyChange), (changes) => {
        const read = [...keyChanges(changesOf('s', 1, changes))];
        const show = ({ key, state }: KeyChange): unknown => [key, state === null ? null : [...state]];
        expect(read.map(show)).toEqual(changes.map(show));
      }),
    );
  });
});

describe('a file that is not whole is never accepted', () => {
  const bytes = encodeCheckpoint(file);

  test('with any single byte changed in any way', () => {
    for (let at = 0; at < bytes.length; at++) {
      for (let by = 1; by < 256; by++) {
        const changed = bytes.slice();
        changed[at] = (changed[at] ?? 0) ^ by;
        expectCorrupt(changed, `byte ${at} changed by ${by}`);
      }
    }
  });

  test('cut anywhere', () => {
    for (let length = 0; length < bytes.length; length++) expectCorrupt(bytes.subarray(0, length), `cut at ${length}`);
  });

  test('with bytes after its end, whatever they are', () => {
    for (const more of [[0], [0xff], [...bytes], [0, 0, 0, 0], [...bytes.subarray(-4)]]) {
      expectCorrupt(Uint8Array.from([...bytes, ...more]), `${more.length} more bytes`);
    }
  });

  test('with bytes after its end that its CRC covers', () => {
    const longer = fileOf(FORMAT_VERSION, (to) => {
      to.bytes(bytes.subarray(8, -4));
      to.byte(0);
    });
    expect(() => decodeCheckpoint(longer)).toThrow(new CorruptFile('expected its end, got 1 more bytes'));
  });

  test('with parts that end too early though its CRC is right, or that are no JSON', () => {
    for (let length = 8; length < bytes.length - 4; length++) {
      expectCorrupt(
        fileOf(FORMAT_VERSION, (to) => to.bytes(bytes.subarray(8, length))),
        `cut at ${length}, with a CRC`,
      );
    }
    expectCorrupt(
      fileOf(FORMAT_VERSION, (to) => [to.text('{'), to.varint(0)]),
      'broken JSON',
    );
  });

  test('when it is something else, and says so', () => {
    for (const other of [new Uint8Array(0), new Uint8Array(4096), Buffer.from('{"not":"a checkpoint"}')]) {
      expect(() => decodeCheckpoint(other)).toThrow(
        `expected a checkpoint file, got ${other.length} bytes of something else`,
      );
    }
  });
});

describe('a file of another format version', () => {
  test('that is newer is refused, and told apart from a broken one', () => {
    for (const version of [FORMAT_VERSION + 1, 300]) {
      const newer = fileOf(version, (to) => to.utf8('what only a newer program can read'));
      const refused = (): unknown => decodeCheckpoint(newer);
      expect(refused).toThrow(TenantAnalyticsError);
      expect(refused).toThrow(expect.objectContaining({ code: 'CHECKPOINT_TOO_NEW', retryable: false, exitCode: 1 }));
      expect(refused).toThrow(
        `The state was written in checkpoint format ${version}; this program reads formats up to ${FORMAT_VERSION}.`,
      );
    }
  });

  test('that is older is read by its own reader', () => {
    const readers: FormatReaders = {
      1: (from) => ({ meta: { id: from.varint(), chain: [], body: from.text() }, stages: [] }),
      2: () => expect.fail('the reader of another version'),
    };
    const older = fileOf(1, (to) => [to.varint(12), to.text('as it was')]);
    expect(decodeCheckpoint(older, readers)).toEqual({ meta: { id: 12, chain: [], body: 'as it was' }, stages: [] });
    const longer = fileOf(1, (to) => [to.varint(12), to.text('as it was'), to.byte(1)]);
    expect(() => decodeCheckpoint(longer, readers)).toThrow(CorruptFile);
  });

  test('of which nobody reads any more is refused as well', () => {
    expect(() => decodeCheckpoint(fileOf(0, () => undefined))).toThrow('format 0');
  });
});
