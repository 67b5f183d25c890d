import { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { firstLine } from '../../connectors/file/first-line.ts';
import type { Parameters, ParameterTexts } from '../../pipeline/parameters.ts';
import type { Graph } from '../../runtime/contract.ts';
import { describeGraph, type PropertyGroups, textsOf } from './describe.ts';
import type { SourceInput } from './record-format.ts';
import { SourcesOperator } from './sources-operator.ts';
import { StagesOperator } from './stages-operator.ts';

/** An application: its parameters, and the graph they make. */
export interface Application {
  readParameters(texts: ParameterTexts): Parameters;
  graph(parameters: Parameters): Graph;
}

interface OpenRequest {
  readonly properties: PropertyGroups;
  readonly inputs: readonly SourceInput[];
  readonly streams: boolean;
  readonly mostResident?: number;
}

/** Kinds of exchange, in the first byte that comes. */
const WORK = 1;
const SNAPSHOT = 2;
const START = 3;

/**
 * The one object that Java sees (`ScriptEngine` in flink-host): text in and out for what happens once, bytes in and out
 * for what happens all the time. One operator of the job has one script, and opens one operator in it.
 */
export class ScriptHost {
  readonly #application: Application;
  #sources: SourcesOperator | undefined;
  #stages: StagesOperator | undefined;
  #output = new ByteWriter(64 * 1024);
  /** Grows whenever `input` or `output` is another buffer. */
  generation = 0;
  input = new ArrayBuffer(64 * 1024);
  output = this.#output.view().buffer as ArrayBuffer;

  constructor(application: Application) {
    this.#application = application;
  }

  /** JSON in, JSON out. */
  call(name: string, argument: string): string {
    return JSON.stringify(this.#call(name, JSON.parse(argument)) ?? null);
  }

  #call(name: string, argument: unknown): unknown {
    switch (name) {
      case 'describe': {
        const parameters = this.#application.readParameters(textsOf(argument as PropertyGroups));
        return describeGraph(this.#application.graph(parameters), parameters);
      }
      case 'first-line': {
        const { properties, source, path, head } = argument as {
          properties: PropertyGroups;
          source: number;
          path: string;
          head: number[];
        };
        return firstLine(path, Uint8Array.from(head), this.#sourceOf(properties, source));
      }
      case 'open-sources': {
        const { properties, inputs } = argument as OpenRequest;
        this.#sources = new SourcesOperator(this.#graph(properties), inputs);
        return undefined;
      }
      case 'open-stages': {
        const { properties, inputs, ...options } = argument as OpenRequest;
        this.#stages = new StagesOperator(this.#graph(properties), inputs, options);
        return undefined;
      }
      case 'status':
        return this.#stages?.status();
      default:
        throw new RangeError(`there is no call ${name}`);
    }
  }

  /** Makes `input` hold at least so many bytes; what it held is gone. */
  reserve(capacity: number): void {
    if (this.input.byteLength >= capacity) return;
    this.input = new ArrayBuffer(Math.max(capacity, this.input.byteLength * 2));
    this.generation++;
  }

  /**
   * Works off `length` bytes of `input`; returns how many bytes of `output` answer them. The stages answer to a second
   * call, of length 0: what waits for promises goes on between the two.
   */
  exchange(length: number): number {
    if (length === 0) return this.#answer(this.#open(this.#stages).collect());
    const from = new ByteReader(new Uint8Array(this.input, 0, length));
    const kind = from.byte();
    if (this.#sources !== undefined) {
      this.#output.clear();
      this.#sources.exchange(from, this.#output);
      return this.#answer(this.#output);
    }
    const stages = this.#open(this.#stages);
    stages.begin();
    if (kind === WORK) stages.exchange(from);
    else if (kind === START) stages.start();
    else if (kind === SNAPSHOT) return this.#answer(stages.snapshot());
    return 0;
  }

  #answer(written: ByteWriter): number {
    const view = written.view();
    if (view.buffer !== this.output) {
      this.output = view.buffer as ArrayBuffer;
      this.generation++;
    }
    return view.length;
  }

  #graph(properties: PropertyGroups): Graph {
    return this.#application.graph(this.#application.readParameters(textsOf(properties)));
  }

  #sourceOf(properties: PropertyGroups, index: number): Graph['sources'][number] {
    const source = this.#graph(properties).sources[index];
    if (source === undefined) throw new RangeError(`the graph has no source ${index}`);
    return source;
  }

  #open<T>(operator: T | undefined): T {
    if (operator === undefined) throw new Error('no operator was opened');
    return operator;
  }
}
