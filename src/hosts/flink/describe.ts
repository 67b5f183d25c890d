import { parseTime } from '../../base/time.ts';
import { type Parameters, type ParameterTexts, SECRET_PARAMETERS } from '../../pipeline/parameters.ts';
import type { Graph, ObjectSink } from '../../runtime/contract.ts';

/** The runtime properties of the managed service, and `application_properties.json`. */
export type PropertyGroups = readonly {
  readonly PropertyGroupId: string;
  readonly PropertyMap: Readonly<Record<string, string>>;
}[];

export function textsOf(groups: PropertyGroups): ParameterTexts {
  return Object.fromEntries(groups.map(({ PropertyGroupId, PropertyMap }) => [PropertyGroupId, PropertyMap]));
}

/** The graph as data, and what its parameters say of the world around it: all that Java builds the job from. */
export interface GraphDescription {
  readonly name: string;
  readonly engine: string;
  readonly sources: readonly SourceDescription[];
  /** All stages have one key, and are one operator. */
  readonly stages: readonly { readonly id: string; readonly kind: 'keyed' | 'http' }[];
  readonly sinks: readonly SinkDescription[];
  readonly deadLetters: ObjectSinkDescription;
  readonly outOfOrdernessMs: number;
  readonly idleMs: number;
  readonly s3: { readonly endpoint: string; readonly pathStyle: boolean };
  /** Parameters that name a secret in place of holding it: group, name, ARN. */
  readonly secrets: readonly { readonly group: string; readonly name: string; readonly arn: string }[];
}

interface SourceDescription {
  readonly id: string;
  readonly stream: string;
  readonly drivesWatermark: boolean;
  readonly readFirst: boolean;
  readonly maxRecordBytes: number;
  readonly region: string;
  readonly endpoint: string;
  readonly initialPosition: string;
  /** Epoch milliseconds with AT_TIMESTAMP, else -1. */
  readonly initialTimestamp: number;
  readonly consumer: string;
}

interface ObjectSinkDescription {
  readonly id: string;
  readonly kind: 'objects';
  readonly path: string;
  readonly extension: string;
  readonly rollBytes: number;
  readonly rollAgeMs: number;
}

interface StreamSinkDescription {
  readonly id: string;
  readonly kind: 'stream';
  readonly stream: string;
  readonly region: string;
  readonly endpoint: string;
}

type SinkDescription = ObjectSinkDescription | StreamSinkDescription;

export function describeGraph(graph: Graph, parameters: Parameters): GraphDescription {
  const { consumer, producer, application } = parameters;
  return {
    name: graph.name,
    engine: application.engine,
    sources: graph.sources.map((source) => {
      const timestamp = consumer[`${source.id}.stream.initial.timestamp` as 'jobs.stream.initial.timestamp'];
      return {
        id: source.id,
        stream: source.stream,
        drivesWatermark: source.drivesWatermark,
        readFirst: source.readFirst,
        maxRecordBytes: source.maxRecordBytes,
        region: consumer['aws.region'],
        endpoint: consumer['aws.endpoint'],
        initialPosition: consumer[`${source.id}.stream.initial.position` as 'jobs.stream.initial.position'],
        initialTimestamp: parseTime(timestamp) ?? -1,
        consumer: consumer[`${source.id}.stream.consumer` as 'jobs.stream.consumer'],
      };
    }),
    stages: graph.stages.map(({ id, kind }) => ({ id, kind })),
    sinks: graph.sinks.map((sink) =>
      sink.kind === 'objects'
        ? describeObjects(sink)
        : {
            id: sink.id,
            kind: 'stream',
            stream: sink.stream,
            region: producer['aws.region'],
            endpoint: consumer['aws.endpoint'],
          },
    ),
    deadLetters: describeObjects(graph.deadLetters),
    outOfOrdernessMs: graph.watermark.outOfOrdernessMs,
    idleMs: graph.watermark.idleMs,
    s3: { endpoint: application['s3.endpoint'], pathStyle: application['s3.pathStyle'] },
    secrets: Object.entries(application).flatMap(([name, value]) =>
      SECRET_PARAMETERS.has(name) && String(value).startsWith('arn:')
        ? [{ group: 'ApplicationConfigProperties', name, arn: String(value) }]
        : [],
    ),
  };
}

function describeObjects({ id, path, extension, rollBytes, rollAgeMs }: ObjectSink<never>): ObjectSinkDescription {
  return { id, kind: 'objects', path, extension, rollBytes, rollAgeMs };
}
