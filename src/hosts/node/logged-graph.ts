import { correlationID } from '../../core/correlation.ts';
import type { Log } from '../../observe/log.ts';
import { type Graph, Rejection, type Source } from '../../runtime/contract.ts';

/**
 * The same graph, which tells at `debug` of each record that was read and each row that was made, by event id. At other
 * levels it is the graph itself: what is off costs nothing.
 */
export function loggedGraph(graph: Graph, log: Log | undefined): Graph {
  if (log?.isDebug !== true) return graph;
  const told = log.of('graph');
  return {
    ...graph,
    sources: graph.sources.map((source) => loggedSource(source, told)),
    sinks: graph.sinks.map((sink) => ({
      ...sink,
      encode(row: unknown, to: Parameters<typeof sink.encode>[1]) {
        sink.encode(row, to);
        told.debug('row', { ...idsOf(row), sink: sink.id });
      },
    })),
  };
}

function loggedSource(source: Source<unknown>, log: Log): Source<unknown> {
  return {
    ...source,
    decode(bytes, from, to, meta) {
      const event = source.decode(bytes, from, to, meta);
      const { shardId, sequenceNumber } = meta;
      const record = `${shardId ?? meta.source}:${sequenceNumber}`;
      if (event instanceof Rejection) log.debug('dead letter', { source: source.id, record, reason: event.reason });
      else log.debug('record', { ...idsOf(event), source: source.id, record });
      return event;
    },
  };
}

function idsOf(value: unknown) {
  const { eventID, companyID, profile, version, scoreStatus } = value as {
    readonly [name in 'eventID' | 'companyID' | 'scoreStatus']?: string;
  } & { readonly profile?: { readonly companyID: string }; readonly version?: number };
  const id = eventID === undefined ? undefined : correlationID(eventID);
  return { correlationID: id, companyID: companyID ?? profile?.companyID, version, scoreStatus };
}
