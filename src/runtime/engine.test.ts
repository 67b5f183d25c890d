import { describe, expect, it } from 'vitest';
import { SimulatedDisk } from '../../test/simulation/simulated-files.ts';
import { MemoryPartition } from '../../test/support/memory-partition.ts';
import { noCalls } from '../../test/support/no-calls.ts';
import { TenantAnalyticsError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { sleep } from '../base/sleep.ts';
import { FilePartStore } from '../connectors/file/part-store.ts';
import { CheckpointStore } from './checkpoint-store.ts';
import type { CheckpointBody } from './checkpointer.ts';
import { type Collector, type Graph, type KeyedStage, NO_TIMER, Rejection, type StateCodec } from './contract.ts';
import { Engine } from './engine.ts';
import type { FileSystem, Partition, PartStore, PartsState, World } from './ports.ts';
import { Pressure } from './pressure.ts';

interface Event {
  readonly key: string;
  readonly time: number;
}

/** Counts events by key; a timer 1,000 after the first event of a key tells its count. */
interface Count {
  count: number;
  timer: number;
}

const countCodec: StateCodec<Count> = {
  version: 1,
  encode(state, to) {
    to.varint(state.count);
    to.varint(state.timer);
  },
  decode: (from) => ({ count: from.varint(), timer: from.varint() }),
};

function countingStage(state: StateCodec<Count> = countCodec): KeyedStage<Count, Event, string> {
  return {
    kind: 'keyed',
    id: 'count',
    inputs: ['events'],
    state,
    usesTimers: true,
    key: (event) => event.key,
    onEvent(known, event, out: Collector<string>) {
      if (event.key === 'bug') throw new Error('a case nobody thought of');
      const next = known ?? { count: 0, timer: event.time + 1000 };
      next.count++;
      out.emit(`event ${event.key} ${next.count}`);
      return next;
    },
    onTimer(known, at, out) {
      out.emit(`timer ${at} ${known.count}`);
      return { count: known.count, timer: 0 };
    },
    nextTimer: (known) => (known.timer === 0 ? NO_TIMER : known.timer),
  };
}

function graphOf(stage: KeyedStage<Count, Event, string> = countingStage()): Graph {
  const sink = {
    kind: 'objects' as const,
    extension: 'txt',
    rollBytes: 1e9,
    rollAgeMs: 1e9,
    partition: () => 'p',
  };
  return {
    name: 'test',
    watermark: { outOfOrdernessMs: 0, idleMs: 1000 },
    sources: [
      {
        kind: 'source',
        id: 'events',
        stream: 'events',
        drivesWatermark: true,
        readFirst: false,
        maxRecordBytes: 1000,
        decode(bytes, from, to): Event | Rejection {
          const [key = '', time = ''] = new TextDecoder().decode(bytes.subarray(from, to)).split(' ');
          return time === '' ? new Rejection('malformed', 'expected "key time"') : { key, time: Number(time) };
        },
        eventTime: (event) => (event as Event).time,
        header: () => undefined,
      },
    ],
    stages: [stage],
    sinks: [{ ...sink, id: 'lines', inputs: ['count'], path: '/out', encode: (row, to) => to.utf8(`${row}\n`) }],
    deadLetters: {
      ...sink,
      id: 'dead',
      inputs: [],
      path: '/dead',
      encode: (row, to) => to.utf8(`${row.sequenceNumber} ${row.reason}\n`),
    },
  };
}

interface Setting {
  readonly disk?: SimulatedDisk;
  readonly files?: FileSystem;
  readonly graph?: Graph;
  readonly partitions: readonly Partition[];
  readonly pressure?: Pressure;
}

async function start(
  setting: Setting,
): Promise<{ engine: Engine; disk: SimulatedDisk; body: CheckpointBody | undefined }> {
  const disk = setting.disk ?? new SimulatedDisk();
  const files = setting.files ?? disk.mount({ before: () => undefined }, () => false);
  const nothing = () => undefined;
  const world: World = { files, clock: { now: Date.now }, probe: nothing, sleep, random: Math.random, warn: nothing };
  const graph = setting.graph ?? graphOf();
  const store = new CheckpointStore(world, '/state');
  const found = await store.open();
  const body = found?.body as CheckpointBody | undefined;
  const pressure = setting.pressure ?? new Pressure();
  const sinks = new Map<string, PartStore>();
  let engine: Engine | undefined;
  for (const [id, folder] of [
    ['lines', '/out'],
    ['dead', '/dead'],
  ] as const) {
    const options = {
      folder,
      extension: 'txt',
      rollBytes: 1e9,
      rollAgeMs: 1e9,
      newRunID: 'run',
      limits: { ...LIMITS, flushBytes: 1 },
    };
    const parts = new FilePartStore(world, pressure, options, (error) => engine?.fail(error));
    await parts.restore(body?.sinks[id] as PartsState | undefined);
    sinks.set(id, parts);
  }
  for (const partition of setting.partitions) {
    (partition as MemoryPartition).seek(Number(body?.partitions[partition.id]?.position.line ?? 0));
  }
  engine = new Engine({
    graph,
    world,
    store,
    found,
    identity: null,
    partitions: setting.partitions,
    sinks,
    pressure,
    checkpointIntervalMs: 1e9,
    transport: noCalls,
  });
  return { engine, disk, body };
}

const linesOf = (disk: SimulatedDisk, folder = '/out') =>
  [...disk.files()]
    .filter(([path]) => path.startsWith(`${folder}/`) && !path.includes('/.'))
    .flatMap(([, bytes]) => new TextDecoder().decode(bytes).split('\n').slice(0, -1));

const events = (id: string, ...lines: string[]) => new MemoryPartition(id, 'events', lines);

describe('the engine', () => {
  it('fires timers at or before the watermark before the next record, and none beyond it at the end', async () => {
    const { engine, disk } = await start({ partitions: [events('one', 'a 0', 'b 500', 'c 1000', 'd 1499', 'e 1500')] });
    expect(await engine.run()).toBe('ended');
    expect(linesOf(disk)).toEqual([
      'event a 1',
      'event b 1',
      'event c 1',
      'timer 1000 1',
      'event d 1',
      'event e 1',
      'timer 1500 1',
    ]);
  });

  it('lets no partition run ahead of the others by more than events may lag, however much of it is at hand', async () => {
    const { engine, disk } = await start({
      partitions: [
        new MemoryPartition('one', 'events', ['a 0', 'b 10', 'c 5000', 'd 6000'], 4),
        new MemoryPartition('two', 'events', ['e 1', 'f 20', 'g 4000', 'h 7000'], 4),
      ],
    });
    await engine.run();
    const order = linesOf(disk).flatMap((line) => (line.startsWith('event') ? [line[6]] : []));
    expect(order).toEqual(['a', 'e', 'b', 'f', 'c', 'g', 'h', 'd']);
  });

  it('reads the partition that is furthest behind, and takes the least of their times as watermark', async () => {
    const { engine, disk } = await start({
      partitions: [events('one', 'a 0', 'a 5000'), events('two', 'b 100', 'b 900', 'b 1200')],
    });
    await engine.run();
    // After `a 5000` only partition two holds the watermark back: the timer of a (1000) fires after `b 1200`.
    expect(linesOf(disk)).toEqual([
      'event a 1',
      'event b 1',
      'event a 2',
      'event b 2',
      'event b 3',
      'timer 1000 2',
      'timer 1100 3',
    ]);
  });

  it('lets no record that does not decode move the watermark, and tells where it came from', async () => {
    const { engine, disk } = await start({ partitions: [events('one', 'a 0', 'nonsense', 'b 999')] });
    await engine.run();
    expect(linesOf(disk)).toEqual(['event a 1', 'event b 1']);
    expect(linesOf(disk, '/dead')).toEqual(['2 malformed']);
    expect(engine.counters).toEqual({ 'dead-letters.malformed': 1, 'records.events': 3, 'rows.lines': 2 });
  });

  it('stops with the error of a stage that throws, names the record, and commits nothing of it', async () => {
    const { engine, disk } = await start({ partitions: [events('one', 'a 0', 'bug 1', 'c 2')] });
    const failure = await engine.run().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TenantAnalyticsError);
    expect(failure).toMatchObject({ code: 'STAGE_FAILED', exitCode: 1 });
    expect(String(failure)).toContain('one:2: a case nobody thought of');
    expect(linesOf(disk)).toEqual([]);
  });

  it('told to stop it takes a checkpoint, and the next run goes on after the last record', async () => {
    const first = events('one', 'a 0', 'b 1', 'c 2', 'd 3');
    const { engine, disk } = await start({ partitions: [first] });
    first.onDelivered = (line) => {
      if (line === 2) engine.stop();
    };
    expect(await engine.run()).toBe('stopped');
    const second = await start({ disk, partitions: [events('one', 'a 0', 'b 1', 'c 2', 'd 3')] });
    expect(second.body?.partitions.one?.position).toEqual({ line: first.line });
    expect(await second.engine.run()).toBe('ended');
    expect(linesOf(disk)).toEqual(['event a 1', 'event b 1', 'event c 1', 'event d 1']);
    expect(second.engine.counters['records.events']).toBe(4);
  });

  it('goes on with state in an older layout, and writes all of it anew in the present one', async () => {
    const first = events('one', 'a 0', 'b 10', 'b 20');
    const { engine, disk } = await start({ partitions: [first] });
    first.onDelivered = (line) => {
      if (line === 3) engine.stop();
    };
    await engine.run();
    const doubled: StateCodec<Count> = {
      version: 2,
      encode(state, to) {
        to.varint(state.count * 2);
        to.varint(state.timer);
      },
      decode: (from, version) => ({ count: from.varint() / (version === 1 ? 1 : 2), timer: from.varint() }),
    };
    for (const line of ['b 30', 'a 40']) {
      const goOn = events('one', 'a 0', 'b 10', 'b 20', 'b 30', 'a 40', 'b 50');
      const run = await start({ disk, graph: graphOf(countingStage(doubled)), partitions: [goOn] });
      goOn.onDelivered = (_line, text) => {
        if (text === line) run.engine.stop();
      };
      expect(await run.engine.run()).toBe('stopped');
    }
    const last = events('one', 'a 0', 'b 10', 'b 20', 'b 30', 'a 40', 'b 50');
    await (await start({ disk, graph: graphOf(countingStage(doubled)), partitions: [last] })).engine.run();
    expect(linesOf(disk)).toEqual(['event a 1', 'event b 1', 'event b 2', 'event b 3', 'event a 2', 'event b 4']);
  });
});

describe('back-pressure', () => {
  it('reading stops while rows cannot be written, with at most the high mark and one row in memory', async () => {
    const disk = new SimulatedDisk();
    const gate: { open?: () => void } = {};
    const opened = new Promise<void>((resolve) => {
      gate.open = resolve;
    });
    const mounted = disk.mount({ before: () => undefined }, () => false);
    const files: FileSystem = {
      ...mounted,
      openAt: async (path, length) => {
        const file = await mounted.openAt(path, length);
        const isRow = path.startsWith('/out/');
        const append = async (bytes: Uint8Array) => {
          if (isRow) await opened;
          await file.append(bytes);
        };
        return { ...file, append };
      },
    };
    const partition = events('one', ...Array.from({ length: 500 }, (_, index) => `k${index} ${index}`));
    const pressure = new Pressure(400, 100);
    const { engine } = await start({ disk, files, partitions: [partition], pressure });
    const ended = engine.run();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const readWhileShut = partition.line;
    expect(pressure.full).toBe(true);
    expect(pressure.bytes).toBeLessThan(400 + 20);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(partition.line).toBe(readWhileShut);
    expect(readWhileShut).toBeLessThan(60);
    gate.open?.();
    expect(await ended).toBe('ended');
    expect(linesOf(disk)).toHaveLength(500);
  });
});
