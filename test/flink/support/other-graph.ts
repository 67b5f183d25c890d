// A later version of the application: rows have one more field, and a company's state has another layout. Bundled in
// place of the graph of the jar, to show that neither needs a change in Java.
import { ByteWriter } from '../../../src/base/bytes.ts';
import { ScriptHost } from '../../../src/hosts/flink/script-host.ts';
import { companyJobProcessing } from '../../../src/pipeline/company-job-processing.ts';
import { readParameters } from '../../../src/pipeline/parameters.ts';
import type { Graph, KeyedStage, StateCodec } from '../../../src/runtime/contract.ts';

type AnyStage = KeyedStage<unknown, unknown, unknown>;

/** The state of version 1 behind one byte more. */
function later(codec: StateCodec<unknown>): StateCodec<unknown> {
  return {
    version: codec.version + 1,
    encode(state, to) {
      to.byte(7);
      codec.encode(state, to);
    },
    decode(from, version) {
      if (version === codec.version) return codec.decode(from, version);
      if (from.byte() !== 7) throw new RangeError('expected the byte of the later layout');
      return codec.decode(from, codec.version);
    },
  };
}

function otherGraph(parameters: ReturnType<typeof readParameters>): Graph {
  const graph = companyJobProcessing(parameters);
  return {
    ...graph,
    stages: graph.stages.map((stage) =>
      stage.kind === 'keyed' && stage.id === 'company-activity'
        ? ({ ...stage, state: later(stage.state) } satisfies AnyStage)
        : stage,
    ),
    sinks: graph.sinks.map((sink) => ({
      ...sink,
      encode(row: unknown, to: ByteWriter) {
        const line = new ByteWriter();
        sink.encode(row as never, line);
        to.bytes(line.view().subarray(0, -2)); // without its last brace and line feed
        to.utf8(',"generation":2}\n');
      },
    })),
  };
}

Object.assign(globalThis, { host: new ScriptHost({ readParameters, graph: otherGraph }) });
