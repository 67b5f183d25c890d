import { messageOf, TenantAnalyticsError } from '../base/errors.ts';
import type { FoundCheckpoint } from './checkpoint-store.ts';
import type { Graph, RecordMeta } from './contract.ts';
import { KeyedOperator } from './keyed-operator.ts';
import {
  Counters,
  DeadLetterOperator,
  ObjectSinkOperator,
  type Push,
  SourceOperator,
  StageOutput,
} from './operators.ts';
import type { PartStore } from './ports.ts';

/** The operators of one graph, connected. */
export interface Wiring {
  /** The operator of a source of the graph. */
  source(id: string): SourceOperator;
  readonly keyed: readonly KeyedOperator<unknown, unknown, unknown>[];
  /** The error of a stage, with the record it failed on; errors of ours stay as they are. */
  named(error: unknown): unknown;
  /** `records.<source>`, `rows.<sink>`, `dead-letters.<reason>`, and what stages count. */
  counts(): Record<string, number>;
  restoreCounts(counts: Readonly<Record<string, number>>): void;
  /** True when any state came in an older layout. */
  restoreState(stages: FoundCheckpoint['stages'], warn: (message: string) => void): boolean;
}

/**
 * Connects the nodes of a graph: each output goes to all nodes that name it as input.
 * @throws TenantAnalyticsError NOT_CONNECTED for a stage that this host does not run yet
 */
export function wire(graph: Graph, stores: ReadonlyMap<string, PartStore>): Wiring {
  const counters = new Counters();
  const targets = new Map<string, Push[]>();
  const connect = (inputs: readonly string[], push: Push) => {
    for (const input of inputs) targets.set(input, [...(targets.get(input) ?? []), push]);
  };

  const objectSinks: ObjectSinkOperator[] = [];
  for (const sink of graph.sinks) {
    if (sink.kind === 'stream') continue; // a bounded run writes to no stream
    const operator = new ObjectSinkOperator(sink, storeOf(sink.id, stores));
    objectSinks.push(operator);
    connect(sink.inputs, (row) => operator.push(row));
  }
  const deadLetters = new ObjectSinkOperator(graph.deadLetters, storeOf(graph.deadLetters.id, stores));
  const deadLetterOperator = new DeadLetterOperator(deadLetters, counters);

  const keyed: KeyedOperator<unknown, unknown, unknown>[] = [];
  for (const stage of graph.stages.toReversed()) {
    if (stage.kind === 'http') throw notConnected(stage.id);
    const output = new StageOutput(targets.get(stage.id) ?? [], deadLetterOperator, counters);
    const operator = new KeyedOperator(stage, output);
    keyed.unshift(operator);
    connect(stage.inputs, (input) => operator.push(input));
  }

  const sources = new Map<string, SourceOperator>();
  for (const source of graph.sources) {
    sources.set(source.id, new SourceOperator(source, targets.get(source.id) ?? [], deadLetterOperator));
  }

  const counts = () => {
    const all = new Counters();
    all.restore(counters.all());
    for (const source of sources.values()) all.add(`records.${source.id}`, source.records);
    for (const sink of objectSinks) all.add(`rows.${sink.id}`, sink.rows);
    return all.all();
  };

  return {
    source: (id) => {
      const source = sources.get(id);
      if (source === undefined) throw new Error(`the graph has no source ${id}`);
      return source;
    },
    keyed,
    named: (error) => (error instanceof TenantAnalyticsError ? error : stageFailed(error, deadLetterOperator.origin)),
    counts,
    restoreCounts: (saved) => counters.restore(saved),
    restoreState: (stages, warn) => {
      for (const id of stages.keys()) {
        if (keyed.some((operator) => operator.id === id)) continue;
        warn(`The checkpoint holds state of stage ${id}, which this graph does not have; it is left out.`);
      }
      const found = keyed.flatMap((operator) => {
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
  const where = origin === undefined ? '' : ` on ${origin.shardId ?? origin.source}:${origin.sequenceNumber}`;
  return new TenantAnalyticsError(
    'STAGE_FAILED',
    `The graph failed${where}: ${messageOf(error)}. Nothing of it was committed; this is a fault of the program, please report it.`,
    { cause: error },
  );
}

function storeOf(id: string, stores: ReadonlyMap<string, PartStore>): PartStore {
  const store = stores.get(id);
  if (store === undefined) throw new Error(`there is no store for sink ${id}`);
  return store;
}

function notConnected(stage: string): TenantAnalyticsError {
  return new TenantAnalyticsError(
    'NOT_CONNECTED',
    `The stage ${stage} makes HTTP calls, which this host does not make yet.`,
  );
}
