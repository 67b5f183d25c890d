import { setImmediate as nextTurn } from 'node:timers/promises';
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts';
import type { Random } from '../../src/base/random.ts';
import { type Application, ScriptHost } from '../../src/hosts/flink/script-host.ts';
import type { HttpResponse } from '../../src/runtime/contract.ts';
import { type HttpTransport, TransportFailure } from '../../src/runtime/ports.ts';

/** A record of the input: which source, its physical line, its bytes. */
export interface FlinkRecord {
  readonly source: number;
  readonly line: number;
  readonly bytes: Uint8Array;
}

/** What a checkpoint of the miniature holds: all by key, so that it fits any parallelism. */
export interface FlinkCheckpoint {
  readonly position: number;
  readonly maxTime: number;
  readonly states: ReadonlyMap<string, Uint8Array>;
  readonly timers: ReadonlyMap<string, ReadonlySet<number>>;
  readonly held: ReadonlyMap<string, ReadonlyMap<number, Uint8Array>>;
  /** Lines by file, as far as they are committed. */
  readonly lines: ReadonlyMap<string, Uint8Array>;
}

export interface FlinkSetting {
  readonly application: Application;
  readonly properties: unknown;
  readonly inputs: unknown;
  readonly services: HttpTransport;
  readonly random: Random;
  readonly parallelism: number;
  readonly mostResident: number;
  readonly outOfOrdernessMs: number;
}

type Element = readonly [key: string, watermark: number, record: Uint8Array];

/** Makes one request of bytes; `fill` writes it behind its first byte. */
function exchange(script: ScriptHost, kind: number, fill: (to: ByteWriter) => void): ByteReader {
  const to = new ByteWriter();
  to.byte(kind);
  fill(to);
  const bytes = to.take();
  script.reserve(bytes.length);
  new Uint8Array(script.input).set(bytes);
  return answer(script, script.exchange(bytes.length));
}

function answer(script: ScriptHost, length: number): ByteReader {
  return new ByteReader(new Uint8Array(script.output, 0, length).slice());
}

/**
 * The Java operators of the Flink host in miniature, as `DecodeOperator` and `StagesOperator` do it: bundles, state and
 * timers by key, what waits for an answer, checkpoints that fit any parallelism. Only the bytes across are real.
 */
export class ScriptFlink {
  readonly #setting: FlinkSetting;
  readonly #decode: ScriptHost;
  readonly #subtasks: Subtask[];
  #position: number;
  #maxTime: number;
  #pending: FlinkRecord[] = [];

  constructor(setting: FlinkSetting, from: FlinkCheckpoint) {
    this.#setting = setting;
    this.#position = from.position;
    this.#maxTime = from.maxTime;
    const { properties, inputs, application } = setting;
    this.#decode = new ScriptHost(application);
    this.#decode.call('open-sources', JSON.stringify({ properties, inputs, streams: false }));
    this.#subtasks = Array.from({ length: setting.parallelism }, () => new Subtask(setting, from.lines));
    for (const [name, block] of from.states) this.#ownerOf(name).states.set(name, block);
    for (const [name, times] of from.timers) this.#ownerOf(name).timers.set(name, new Set(times));
    for (const [name, entries] of from.held) this.#ownerOf(name).held.set(name, new Map(entries));
  }

  async start(): Promise<void> {
    for (const subtask of this.#subtasks) await subtask.start();
  }

  /** Runs to the end of the input, taking a checkpoint now and then; `crashes` is asked between any two steps. */
  async run(
    records: readonly FlinkRecord[],
    crashes: () => boolean,
    checkpointed: (checkpoint: FlinkCheckpoint) => void,
  ): Promise<'ended' | 'crashed'> {
    const { random } = this.#setting;
    await this.start();
    for (;;) {
      if (crashes()) return 'crashed';
      const what = random();
      if (what < 0.1) await this.#eachSubtask((subtask) => subtask.flush());
      else if (what < 0.2) await this.#watermark();
      else if (what < 0.3) checkpointed(await this.#checkpoint());
      else if (what < 0.4) await this.#eachSubtask((subtask) => subtask.elapse(Math.floor(random() * 500)));
      else if (this.#position < records.length) await this.#read(records);
      else break;
    }
    await this.#watermark();
    for (const subtask of this.#subtasks) await subtask.end();
    checkpointed(await this.#checkpoint());
    return 'ended';
  }

  async #read(records: readonly FlinkRecord[]): Promise<void> {
    const record = records[this.#position];
    if (record !== undefined) this.#pending.push(record);
    this.#position++;
    if (this.#pending.length > this.#setting.random() * 10) await this.#flush();
  }

  async #flush(): Promise<void> {
    const encoded = this.#pending.map(encodeRecord);
    if (encoded.length === 0) return;
    const came = exchange(this.#decode, 1, (to) => {
      for (const bytes of encoded) to.bytes(bytes);
    });
    for (const [index, bytes] of encoded.entries()) {
      if (came.byte() !== 1) continue;
      const [key, time] = [came.text(), came.varint()];
      const watermark = Number.isFinite(this.#maxTime) ? this.#maxTime - this.#setting.outOfOrdernessMs : -1;
      await this.#subtaskOf(key).element([key, watermark, bytes]);
      if (this.#pending[index]?.source === 1) this.#maxTime = Math.max(this.#maxTime, time);
    }
    if (came.byte() !== 2) throw new Error('the decode operator answered to more than it was sent');
    for (let left = came.varint(); left > 0; left--) this.#subtasks[0]?.letters(came.text(), came.block());
    this.#pending = [];
  }

  async #watermark(): Promise<void> {
    await this.#flush();
    const watermark = this.#maxTime - this.#setting.outOfOrdernessMs;
    if (Number.isFinite(watermark)) await this.#eachSubtask((subtask) => subtask.advance(watermark));
  }

  async #checkpoint(): Promise<FlinkCheckpoint> {
    await this.#flush();
    await this.#eachSubtask((subtask) => subtask.barrier());
    const all = <T>(pick: (subtask: Subtask) => ReadonlyMap<string, T>) =>
      new Map(this.#subtasks.flatMap((subtask) => [...pick(subtask)]));
    const lines = new Map(this.#subtasks[0]?.committed ?? []);
    for (const [index, subtask] of this.#subtasks.entries()) {
      for (const [path, bytes] of subtask.written) lines.set(`${path}${lines.size}-${index}.jsonl`, bytes);
    }
    for (const subtask of this.#subtasks) subtask.commit(lines);
    return {
      position: this.#position,
      maxTime: this.#maxTime,
      states: all((subtask) => subtask.states),
      timers: new Map([...all((subtask) => subtask.timers)].map(([name, times]) => [name, new Set(times)])),
      held: new Map([...all((subtask) => subtask.held)].map(([name, entries]) => [name, new Map(entries)])),
      lines,
    };
  }

  async #eachSubtask(act: (subtask: Subtask) => Promise<void>): Promise<void> {
    for (const subtask of this.#subtasks) await act(subtask);
  }

  #subtaskOf(key: string): Subtask {
    let hash = 7;
    for (let at = 0; at < key.length; at++) hash = (hash * 31 + key.charCodeAt(at)) | 0;
    const subtask = this.#subtasks[Math.abs(hash) % this.#subtasks.length];
    if (subtask === undefined) throw new Error('there is no subtask');
    return subtask;
  }

  /** Names are `<stage>|<key>`. */
  #ownerOf(name: string): Subtask {
    return this.#subtaskOf(name.slice(name.indexOf('|') + 1));
  }
}

function encodeRecord({ source, line, bytes }: FlinkRecord): Uint8Array {
  const to = new ByteWriter();
  to.byte(source);
  to.byte(0);
  to.text(String(line));
  to.varint(1_700_000_000_000);
  to.block(bytes);
  return to.take();
}

/** One subtask of the stages operator. */
class Subtask {
  readonly states = new Map<string, Uint8Array>();
  readonly timers = new Map<string, Set<number>>();
  readonly held = new Map<string, Map<number, Uint8Array>>();
  committed: ReadonlyMap<string, Uint8Array>;
  written = new Map<string, Uint8Array>();
  readonly #setting: FlinkSetting;
  readonly #script: ScriptHost;
  readonly #keyedStages: number;
  readonly #resident = new Set<string>();
  readonly #answers: (readonly [id: number, response: HttpResponse | TransportFailure])[] = [];
  #entries: ((to: ByteWriter) => void)[] = [];
  #now = 1_800_000_000_000;
  #watermark = -1;
  #low = Number.POSITIVE_INFINITY;
  #isFull = false;
  #isDone = true;
  #underWay = 0;

  constructor(setting: FlinkSetting, committed: ReadonlyMap<string, Uint8Array>) {
    this.#setting = setting;
    this.committed = committed;
    this.#script = new ScriptHost(setting.application);
    const { properties, inputs, mostResident } = setting;
    this.#script.call('open-stages', JSON.stringify({ properties, inputs, streams: false, mostResident }));
    const { stages } = JSON.parse(this.#script.call('describe', JSON.stringify(properties))) as {
      stages: { kind: string }[];
    };
    this.#keyedStages = stages.filter(({ kind }) => kind === 'keyed').length;
  }

  async start(): Promise<void> {
    for (const [name, entries] of this.held) {
      const [stage, key] = this.#split(name);
      for (const [id, block] of entries) {
        this.#entries.push((to) => {
          to.byte(4);
          this.#key(key, to);
          to.varint(stage);
          to.varint(id);
          to.block(block);
        });
      }
    }
    this.held.clear();
    await this.flush();
    exchange(this.#script, 3, () => undefined);
    await this.#collect();
  }

  async element([key, watermark, record]: Element): Promise<void> {
    this.#entries.push((to) => {
      to.byte(1);
      to.signed(watermark);
      this.#key(key, to);
      to.bytes(record);
    });
    if (this.#entries.length > this.#setting.random() * 12) await this.flush();
    for (let turns = 0; this.#isFull; turns++) {
      if (turns > 10_000) throw new Error('back-pressure never ends');
      await this.elapse(200);
    }
  }

  async flush(): Promise<void> {
    if (this.#entries.length > 0) {
      const entries = this.#entries;
      this.#entries = [];
      this.#send(entries);
      await this.#collect();
    }
    await this.#fire();
  }

  async advance(watermark: number): Promise<void> {
    await this.flush();
    this.#watermark = Math.max(this.#watermark, watermark);
    await this.#fire();
  }

  /** Time goes by: answers come, sleepers wake. */
  async elapse(ms: number): Promise<void> {
    this.#now += ms;
    await nextTurn();
    for (const [id, response] of this.#answers.splice(0)) {
      this.#underWay--;
      this.#entries.push((to) => writeAnswer(id, response, to));
    }
    const entries = this.#entries;
    this.#entries = [];
    this.#send(entries);
    await this.#collect();
    await this.#fire();
  }

  async end(): Promise<void> {
    await this.flush();
    for (let turns = 0; !this.#isDone; turns++) {
      if (turns > 10_000) throw new Error(`it never ends: ${this.#script.call('status', 'null')}, ${this.#underWay}`);
      await this.elapse(500);
    }
    await this.#fire();
  }

  async barrier(): Promise<void> {
    await this.flush();
    this.#take(exchange(this.#script, 2, () => undefined));
  }

  commit(lines: ReadonlyMap<string, Uint8Array>): void {
    this.committed = lines;
    this.written = new Map();
  }

  letters(partition: string, lines: Uint8Array): void {
    this.#write(`/out/_dead-letters/${partition}/part-`, lines);
  }

  #send(entries: readonly ((to: ByteWriter) => void)[]): void {
    exchange(this.#script, 1, (to) => {
      to.varint(this.#now);
      to.signed(this.#watermark);
      for (const write of entries) write(to);
    });
  }

  async #collect(): Promise<void> {
    await nextTurn();
    this.#take(answer(this.#script, this.#script.exchange(0)));
  }

  async #fire(): Promise<void> {
    for (;;) {
      const upTo = Math.min(this.#watermark, this.#low);
      const due = [...this.timers].flatMap(([name, times]) =>
        [...times].filter((at) => at <= upTo).map((at) => [name, at] as const),
      );
      if (due.length === 0) return;
      for (const [name, at] of due.toSorted((a, b) => a[1] - b[1])) {
        this.timers.get(name)?.delete(at);
        const [stage, key] = this.#split(name);
        this.#entries.push((to) => {
          to.byte(2);
          to.varint(stage);
          this.#key(key, to);
        });
      }
      const entries = this.#entries;
      this.#entries = [];
      this.#send(entries);
      await this.#collect();
    }
  }

  #key(key: string, to: ByteWriter): void {
    to.text(key);
    if (this.#resident.has(key)) {
      to.byte(0);
      return;
    }
    this.#resident.add(key);
    to.byte(1);
    for (let stage = 0; stage < this.#keyedStages; stage++) {
      to.block(this.states.get(`${stage}|${key}`) ?? new Uint8Array(0));
    }
  }

  #take(from: ByteReader): void {
    while (from.remaining > 0) {
      const item = from.byte();
      if (item === 1) {
        from.varint();
        this.#write(`/out/${from.text()}/part-`, from.block());
      } else if (item === 3) {
        this.letters(from.text(), from.block());
      } else if (item === 4) {
        const name = `${from.varint()}|${from.text()}`;
        const times = this.timers.get(name) ?? new Set();
        this.timers.set(name, times.add(from.varint()));
      } else if (item === 5) {
        const name = `${from.varint()}|${from.text()}`;
        const block = from.block().slice();
        if (block.length === 0) this.states.delete(name);
        else this.states.set(name, block);
      } else if (item === 6) {
        this.#resident.delete(from.text());
      } else if (item === 7) {
        this.#call(from);
      } else if (item === 8) {
        for (let left = from.varint(); left > 0; left--) {
          for (let texts = 3; texts > 0; texts--) from.text();
          from.varint();
        }
      } else if (item === 9) {
        from.text();
      } else if (item === 10) {
        const name = `${from.varint()}|${from.text()}`;
        const id = from.varint();
        const block = from.block().slice();
        const entries = this.held.get(name) ?? new Map<number, Uint8Array>();
        this.held.set(name, entries);
        if (block.length === 0) entries.delete(id);
        else entries.set(id, block);
      } else {
        const flags = from.byte();
        this.#isFull = (flags & 1) !== 0;
        this.#isDone = (flags & 2) !== 0;
        this.#low = readTime(from);
        readTime(from);
      }
    }
  }

  #call(from: ByteReader): void {
    const id = from.varint();
    const timeoutMs = from.varint();
    const [method, url] = [from.text() as 'GET' | 'POST', from.text()];
    const headers: Record<string, string> = {};
    for (let left = from.varint(); left > 0; left--) headers[from.text()] = from.text();
    const body = from.byte() === 1 ? from.text() : null;
    this.#underWay++;
    this.#setting.services.send({ method, url, headers, body }, timeoutMs, new AbortController().signal).then(
      (response) => this.#answers.push([id, response]),
      (error: TransportFailure) => this.#answers.push([id, error]),
    );
  }

  #write(path: string, lines: Uint8Array): void {
    const before = this.written.get(path) ?? new Uint8Array(0);
    const after = new Uint8Array(before.length + lines.length);
    after.set(before);
    after.set(lines, before.length);
    this.written.set(path, after);
  }

  #split(name: string): readonly [stage: number, key: string] {
    const at = name.indexOf('|');
    return [Number(name.slice(0, at)), name.slice(at + 1)];
  }
}

function writeAnswer(id: number, response: HttpResponse | TransportFailure, to: ByteWriter): void {
  to.byte(3);
  to.varint(id);
  if (response instanceof TransportFailure) {
    to.byte(response.kind === 'timeout' ? 1 : 2);
    to.text(response.message);
    return;
  }
  to.byte(0);
  to.varint(response.status);
  const headers = Object.entries(response.headers);
  to.varint(headers.length);
  for (const [name, value] of headers) {
    to.text(name);
    to.text(value);
  }
  to.text(response.body);
}

function readTime(from: ByteReader): number {
  const kind = from.byte();
  if (kind === 0) return from.varint();
  return kind === 1 ? Number.POSITIVE_INFINITY : -1;
}
