import { type ByteReader, ByteWriter } from '../../base/bytes.ts';
import { Signal } from '../../base/signal.ts';
import type { EpochMs } from '../../base/time.ts';
import type { Graph, HttpStage, KeyedStage, ObjectSink, StreamSink } from '../../runtime/contract.ts';
import { nodesBefore } from '../../runtime/graph-order.ts';
import { HttpOperator } from '../../runtime/http-operator.ts';
import {
  Counters,
  DeadLetterOperator,
  type ObjectSinkOperator,
  type Push,
  SourceOperator,
  StageOutput,
  StreamSinkOperator,
} from '../../runtime/operators.ts';
import { TransportFailure } from '../../runtime/ports.ts';
import { Pressure } from '../../runtime/pressure.ts';
import { ServiceCaller } from '../../runtime/service-caller.ts';
import { takeCounts } from './counts.ts';
import { HeldInputs } from './held-inputs.ts';
import { RecordReader, type SourceInput } from './record-format.ts';
import { ResidentKeys } from './resident-keys.ts';
import { LineCollector } from './row-output.ts';
import { NEVER_ABORTED, ScriptWorld } from './script-world.ts';

type AnyHttp = HttpOperator<unknown, unknown, unknown>;
type AnyKeyed = KeyedStage<unknown, unknown, unknown>;

/** What Java sends: a time and a watermark, then entries. */
const RECORD = 1;
const TIMER = 2;
const ANSWER = 3;
const HELD = 4;
/** What goes back, item by item. */
const ROWS = 1;
const ROW = 2;
const DEAD_LETTERS = 3;
const TIMER_AT = 4;
const STATE = 5;
const GONE = 6;
const REQUEST = 7;
const COUNTS = 8;
const WARNING = 9;
const CALL_CHANGE = 10;
const STATUS = 11;

/**
 * Bytes of inputs that wait for answers at which no more are taken, and go on. Fewer than on the Node host, and close to each
 * other: a barrier cannot pass while the operator takes nothing, nor while a bounded job waits for its last answers.
 */
const HELD_BYTES_HIGH = 2 * 1024 * 1024;
const HELD_BYTES_LOW = HELD_BYTES_HIGH - 64 * 1024;
/** Keys whose state is kept in the script; beyond, those not used lately go back to the host. */
const MOST_RESIDENT = 50_000;

export interface StagesOptions {
  /** Streams are written to: not in a bounded run. */
  readonly streams: boolean;
  readonly mostResident?: number;
}

/**
 * All stages of a graph as one operator: they have one key, so what one of them hands on stays on this machine, in this
 * script. The operators are those of the Node host: calls, their order, caches, retries and breakers are its very code.
 */
export class StagesOperator {
  readonly #records: RecordReader;
  readonly #sources: readonly SourceOperator[];
  readonly #keyed: readonly AnyKeyed[];
  readonly #resident: ResidentKeys;
  readonly #http: readonly { readonly operator: AnyHttp; readonly held: HeldInputs }[];
  /** For each keyed stage: the HTTP stages before it. */
  readonly #behind: readonly (readonly AnyHttp[])[];
  readonly #world = new ScriptWorld();
  readonly #deadLetters: DeadLetterOperator;
  readonly #letters = new LineCollector();
  readonly #rows = new Map<number, LineCollector>();
  readonly #counters = new Counters();
  readonly #pressure = new Pressure(HELD_BYTES_HIGH, HELD_BYTES_LOW);
  readonly #out = new ByteWriter(64 * 1024);
  readonly #mostResident: number;
  /** Keyed stages with timers: only for them the watermark must wait. */
  readonly #timed: readonly number[];
  /** Those of them that records reach at once. */
  readonly #timedByRecords: readonly number[];
  #watermark: EpochMs = Number.NEGATIVE_INFINITY;
  /** Of what was held as of the checkpoint: Flink tells none until a source has shown events anew. */
  #restoredWatermark: EpochMs = Number.NEGATIVE_INFINITY;
  #failure: { readonly error: unknown } | undefined;

  constructor(graph: Graph, inputs: readonly SourceInput[], options: StagesOptions) {
    this.#records = new RecordReader(inputs);
    this.#mostResident = options.mostResident ?? MOST_RESIDENT;
    this.#deadLetters = new DeadLetterOperator(this.#letters.operatorOf(graph.deadLetters), this.#counters);
    const targets = new Map<string, Push[]>();
    const connect = (from: readonly string[], push: Push) => {
      for (const input of from) targets.set(input, [...(targets.get(input) ?? []), push]);
    };
    this.#connectSinks(graph, options, connect);

    this.#keyed = graph.stages.filter((stage) => stage.kind === 'keyed');
    this.#timed = this.#keyed.flatMap(({ usesTimers }, index) => (usesTimers ? [index] : []));
    const outputs: StageOutput[] = [];
    const http = new Map<string, { operator: AnyHttp; held: HeldInputs }>();
    for (const stage of [...graph.stages].reverse()) {
      const after = targets.get(stage.id) ?? [];
      if (stage.kind === 'http') {
        const operator = this.#callOperator(stage, after);
        http.set(stage.id, { operator, held: new HeldInputs(operator) });
        connect(stage.inputs, (input) => operator.push(input));
      } else {
        const index = this.#keyed.indexOf(stage);
        outputs[index] = new StageOutput(after, this.#deadLetters, this.#counters);
        connect(stage.inputs, (input) => this.#resident.push(index, input));
      }
    }
    this.#http = graph.stages.flatMap(({ id }) => http.get(id) ?? []);
    this.#behind = this.#keyed.map(({ id }) =>
      nodesBefore(id, graph).flatMap((before) => http.get(before)?.operator ?? []),
    );
    this.#sources = graph.sources.map(
      (source) => new SourceOperator(source, targets.get(source.id) ?? [], this.#deadLetters),
    );
    this.#timedByRecords = this.#timed.filter((stage) => this.#behind[stage]?.length === 0);
    this.#resident = new ResidentKeys(this.#keyed, outputs, {
      deadLetters: this.#deadLetters,
      failed: (stage) => this.#counters.add(`stage-failures.${stage}`),
      timer: (stage, key, at) => {
        this.#out.byte(TIMER_AT);
        this.#out.varint(stage);
        this.#out.text(key);
        this.#out.varint(at);
      },
    });
  }

  /** What was answered before is done with. */
  begin(): void {
    this.#out.clear();
  }

  /** Works off what Java sends. With HTTP stages more may happen before {@link collect}: promises are kept in between. */
  exchange(from: ByteReader): void {
    this.#world.advance(from.varint());
    const watermark = from.signed();
    if (watermark > this.#watermark) this.#watermark = watermark;
    while (from.remaining > 0) {
      const kind = from.byte();
      if (kind === RECORD) this.#record(from);
      else if (kind === TIMER) this.#timer(from);
      else if (kind === ANSWER) this.#answer(from);
      else if (kind === HELD) this.#restoreHeld(from);
      else throw new RangeError(`there is no entry of kind ${kind}`);
    }
  }

  /** What came of it all since the last time, as items. */
  collect(): ByteWriter {
    if (this.#failure !== undefined) throw this.#failure.error;
    const to = this.#out;
    for (const [sink, lines] of this.#rows) {
      lines.take((partition, block) => {
        to.byte(ROWS);
        to.varint(sink);
        to.text(partition);
        to.block(block);
      });
    }
    this.#letters.take((partition, block) => {
      to.byte(DEAD_LETTERS);
      to.text(partition);
      to.block(block);
    });
    this.#world.takeRequests(to, () => to.byte(REQUEST));
    this.#resident.evict(
      this.#mostResident,
      (key) => this.#http.some(({ operator, held }) => operator.isWaiting(key) || held.isFound),
      this.#writeState,
      (key) => {
        to.byte(GONE);
        to.text(key);
      },
    );
    to.byte(COUNTS);
    takeCounts(this.#counters, to);
    for (const warning of this.#world.takeWarnings()) {
      to.byte(WARNING);
      to.text(warning);
    }
    this.#writeStatus(to);
    return to;
  }

  /** What changed since the last checkpoint: state by stage and key, and what HTTP stages hold. */
  snapshot(): ByteWriter {
    this.#resident.takeChanges(this.#writeState);
    this.#http.forEach(({ held }, stage) => {
      held.takeChanges((key, id, block) => {
        const to = this.#out;
        to.byte(CALL_CHANGE);
        to.varint(stage);
        to.text(key);
        to.varint(id);
        to.block(block);
      });
    });
    return this.#out;
  }

  /** After all that was held came back: it is worked on again. */
  start(): void {
    for (const { operator, held } of this.#http) {
      this.#restoredWatermark = Math.max(this.#restoredWatermark, held.restore());
      operator.start();
    }
  }

  /** For metrics: how the services are doing, and what is here. */
  status(): unknown {
    return {
      services: this.#http.map(({ operator }) => {
        const { service, breaker, sent, failures, held, toAskAgain } = operator.status();
        return { service, breaker, sent, failures, held, toAskAgain };
      }),
      residentKeys: this.#resident.size,
      heldBytes: this.#pressure.bytes,
    };
  }

  readonly #writeState = (stage: number, key: string, block: Uint8Array): void => {
    this.#out.byte(STATE);
    this.#out.varint(stage);
    this.#out.text(key);
    this.#out.block(block);
  };

  /** Carried watermark, key and its state unless it is here, the record. */
  #record(from: ByteReader): void {
    const carried = from.signed();
    const key = this.#key(from);
    this.#records.read(from);
    const { source: index, bytes, meta } = this.#records;
    const source = this.#sources[index];
    if (source === undefined) throw new RangeError(`no source ${index}`);
    // Timers that were due before this record was read, whatever Flink has told since.
    const watermark = Math.max(carried, this.#watermark);
    for (const stage of this.#timedByRecords) this.#resident.fire(stage, key, watermark);
    source.record(bytes, 0, bytes.length, meta, undefined);
  }

  #timer(from: ByteReader): void {
    const stage = from.varint();
    const key = this.#key(from);
    this.#resident.fire(stage, key, this.#watermarkOf(stage));
  }

  #answer(from: ByteReader): void {
    const id = from.varint();
    const kind = from.byte();
    if (kind > 0) {
      this.#world.lost(id, new TransportFailure(kind === 1 ? 'timeout' : 'connection', from.text()));
      return;
    }
    const status = from.varint();
    const headers: Record<string, string> = {};
    for (let left = from.varint(); left > 0; left--) headers[from.text()] = from.text();
    this.#world.answered(id, { status, headers, body: from.text() });
  }

  #restoreHeld(from: ByteReader): void {
    this.#key(from);
    const held = this.#http[from.varint()]?.held;
    const id = from.varint();
    held?.found(id, from.block());
  }

  #key(from: ByteReader): string {
    const key = from.text();
    if (from.byte() === 1) this.#resident.load(key, from);
    return key;
  }

  #watermarkOf(stage: number): EpochMs {
    let watermark = this.#watermark;
    for (const operator of this.#behind[stage] ?? []) watermark = Math.min(watermark, operator.lowWatermark);
    return watermark;
  }

  #connectSinks(
    graph: Graph,
    { streams }: StagesOptions,
    connect: (from: readonly string[], push: Push) => void,
  ): void {
    graph.sinks.forEach((sink, index) => {
      if (sink.kind === 'stream' && !streams) return;
      const operator = sink.kind === 'objects' ? this.#lineSink(sink, index) : this.#streamSink(sink, index);
      connect(sink.inputs, (row) => {
        operator.push(row);
        this.#counters.add(`rows.${sink.id}`);
      });
    });
  }

  #lineSink(sink: ObjectSink<unknown>, index: number): ObjectSinkOperator {
    const lines = new LineCollector();
    this.#rows.set(index, lines);
    return lines.operatorOf(sink);
  }

  #streamSink(sink: StreamSink<unknown>, index: number): StreamSinkOperator {
    return new StreamSinkOperator(sink, {
      send: (partitionKey, row) => {
        this.#out.byte(ROW);
        this.#out.varint(index);
        this.#out.text(partitionKey);
        this.#out.block(row);
      },
      accepted: async () => undefined,
      close: async () => undefined,
    });
  }

  #callOperator(stage: HttpStage<unknown, unknown, unknown>, targets: readonly Push[]): AnyHttp {
    const { surroundings, transport } = this.#world;
    return new HttpOperator(stage, {
      world: surroundings,
      caller: new ServiceCaller(surroundings, transport, stage.limits, NEVER_ABORTED),
      pressure: this.#pressure,
      targets,
      deadLetters: this.#deadLetters,
      counters: this.#counters,
      watermark: () => Math.max(this.#watermark, this.#restoredWatermark),
      changed: new Signal(),
      onFailure: (error) => {
        this.#failure ??= { error };
      },
      signal: NEVER_ABORTED,
    });
  }

  /** Last item: whether it takes more, whether all is done, how far timers may go, when to wake it, keys. */
  #writeStatus(to: ByteWriter): void {
    let low = Number.POSITIVE_INFINITY;
    for (const stage of this.#timed) {
      for (const operator of this.#behind[stage] ?? []) low = Math.min(low, operator.lowWatermark);
    }
    const isFull = this.#pressure.full || this.#http.some(({ operator }) => operator.isFull);
    const isDone = this.#http.every(({ operator }) => operator.isEmpty);
    to.byte(STATUS);
    to.byte((isFull ? 1 : 0) | (isDone ? 2 : 0));
    writeTime(low, to);
    writeTime(this.#world.wakeAt, to);
  }
}

/** A time, or its lack. */
function writeTime(time: EpochMs, to: ByteWriter): void {
  to.byte(Number.isFinite(time) ? 0 : time > 0 ? 1 : 2);
  if (Number.isFinite(time)) to.varint(Math.max(0, Math.ceil(time)));
}
