import { messageOf, storageError, systemCode, TenantAnalyticsError } from '../base/errors.ts';
import type { FoundCheckpoint } from './checkpoint-store.ts';
import type { Graph, RecordMeta } from './contract.ts';
import { nodesBefore } from './graph-order.ts';
import { HttpOperator, type HttpOperatorSetting } from './http-operator.ts';
import { KeyedOperator } from './keyed-operator.ts';
import {
  Counters,
  DeadLetterOperator,
  ObjectSinkOperator,
  type Push,
  SourceOperator,
  StageOutput,
  StreamSinkOperator,
} from './operators.ts';
import type { HttpTransport, PartStore, RowStream } from './ports.ts';
import { ServiceCaller } from './service-caller.ts';

/** A keyed stage, and the HTTP stages before it: its watermark never overtakes what is held in them. */
export interface TimedStage {
  readonly operator: KeyedOperator<unknown, unknown, unknown>;
  readonly behind: readonly HttpOperator<unknown, unknown, unknown>[];
}

type StatefulOperator = Pick<KeyedOperator<unknown, unknown, unknown>, 'id' | 'codecVersion' | 'barrier' | 'restore'>;

/** What HTTP stages need of their host. */
export interface CallSetting extends Omit<HttpOperatorSetting, 'caller' | 'targets' | 'deadLetters' | 'counters'> {
  readonly transport: HttpTransport;
}

/** The operators of one graph, connected. */
export interface Wiring {
  /** The operator of a source of the graph. */
  source(id: string): SourceOperator;
  readonly timed: readonly TimedStage[];
  readonly http: readonly HttpOperator<unknown, unknown, unknown>[];
  /** All stages that have something for a checkpoint. */
  readonly stateful: readonly StatefulOperator[];
  /** The error of a stage, with the record it failed on; errors of ours stay as they are. */
  named(error: unknown): unknown;
  /** `records.<source>`, `rows.<sink>`, `dead-letters.<reason>`, and what stages count. */
  counts(): Record<string, number>;
  restoreCounts(counts: Readonly<Record<string, number>>): void;
  /** True when any state came in an older layout. */
  restoreState(stages: FoundCheckpoint['stages'], warn: (message: string) => void): boolean;
}

/** Connects the nodes of a graph: each output goes to all nodes that name it as input. */
export function wire(
  graph: Graph,
  stores: ReadonlyMap<string, PartStore>,
  streams: ReadonlyMap<string, RowStream>,
  calls: CallSetting,
): Wiring {
  const counters = new Counters();
  const targets = new Map<string, Push[]>();
  const connect = (inputs: readonly string[], push: Push) => {
    for (const input of inputs) targets.set(input, [...(targets.get(input) ?? []), push]);
  };

  const rowSinks: (ObjectSinkOperator | StreamSinkOperator)[] = [];
  for (const sink of graph.sinks) {
    const operator = sinkOperator(sink, stores, streams);
    if (operator === undefined) continue;
    rowSinks.push(operator);
    connect(sink.inputs, (row) => operator.push(row));
  }
  const deadLetters = new ObjectSinkOperator(graph.deadLetters, storeOf(graph.deadLetters.id, stores));
  const deadLetterOperator = new DeadLetterOperator(deadLetters, counters);

  const keyed = new Map<string, KeyedOperator<unknown, unknown, unknown>>();
  const http = new Map<string, HttpOperator<unknown, unknown, unknown>>();
  for (const stage of graph.stages.toReversed()) {
    const after = targets.get(stage.id) ?? [];
    if (stage.kind === 'http') {
      const caller = new ServiceCaller(calls.world, calls.transport, stage.limits, calls.signal);
      const setting = { ...calls, caller, targets: after, deadLetters: deadLetterOperator, counters };
      const operator = new HttpOperator(stage, setting);
      http.set(stage.id, operator);
      connect(stage.inputs, (input) => operator.push(input));
    } else {
      const operator = new KeyedOperator(stage, new StageOutput(after, deadLetterOperator, counters));
      keyed.set(stage.id, operator);
      connect(stage.inputs, (input) => operator.push(input));
    }
  }
  const stateful: StatefulOperator[] = [...keyed.values(), ...http.values()];
  const timed = [...keyed.values()].map((operator) => ({
    operator,
    behind: nodesBefore(operator.id, graph).flatMap((before) => http.get(before) ?? []),
  }));

  const sources = new Map<string, SourceOperator>();
  for (const source of graph.sources) {
    sources.set(source.id, new SourceOperator(source, targets.get(source.id) ?? [], deadLetterOperator));
  }

  const counts = () => {
    const all = new Counters();
    all.restore(counters.all());
    for (const source of sources.values()) all.add(`records.${source.id}`, source.records);
    for (const sink of rowSinks) all.add(`rows.${sink.id}`, sink.rows);
    return all.all();
  };

  return {
    source: (id) => {
      const source = sources.get(id);
      if (source === undefined) throw new Error(`the graph has no source ${id}`);
      return source;
    },
    timed,
    http: [...http.values()],
    stateful,
    named: (error) => (error instanceof TenantAnalyticsError ? error : stageFailed(error, deadLetterOperator.origin)),
    counts,
    restoreCounts: (saved) => counters.restore(saved),
    restoreState: (stages, warn) => {
      for (const id of stages.keys()) {
        if (stateful.some((operator) => operator.id === id)) continue;
        warn(`The checkpoint holds state of stage ${id}, which this graph does not have; it is left out.`);
      }
      const found = stateful.flatMap((operator) => {
        const states = stages.get(operator.id);
        return states === undefined ? [] : [{ operator, states }];
      });
      const migrated = found.some(({ operator, states }) => states.codecVersion !== operator.codecVersion);
      for (const { operator, states } of found) operator.restore(states.states, states.codecVersion, migrated);
      return migrated;
    },
  };
}

function stageFailed(error: unknown, origin: RecordMeta | undefined): TenantAnalyticsError {
  if (systemCode(error) !== undefined) return storageError(error, 'Reading or writing failed');
  const where = origin === undefined ? '' : ` on ${origin.shardId ?? origin.source}:${origin.sequenceNumber}`;
  return new TenantAnalyticsError(
    'STAGE_FAILED',
    `The graph failed${where}: ${messageOf(error)}. Nothing of it was committed; this is a fault of the program, please report it.`,
    { cause: error },
  );
}

/** Undefined for a stream that this run does not write to. */
function sinkOperator(
  sink: Graph['sinks'][number],
  stores: ReadonlyMap<string, PartStore>,
  streams: ReadonlyMap<string, RowStream>,
): ObjectSinkOperator | StreamSinkOperator | undefined {
  if (sink.kind === 'objects') return new ObjectSinkOperator(sink, storeOf(sink.id, stores));
  const stream = streams.get(sink.id);
  return stream === undefined ? undefined : new StreamSinkOperator(sink, stream);
}

function storeOf(id: string, stores: ReadonlyMap<string, PartStore>): PartStore {
  const store = stores.get(id);
  if (store === undefined) throw new Error(`there is no store for sink ${id}`);
  return store;
}
