import type { Partition, Position, RecordVisitor } from '../../src/runtime/ports.ts';

/** Lines in memory as a partition, delivered as they are read: one at a time. */
export class MemoryPartition implements Partition {
  readonly id: string;
  readonly sourceID: string;
  /** Lines delivered so far. */
  line = 0;
  onDelivered: (line: number, text: string) => void = () => undefined;
  readonly #lines: readonly string[];
  #isFilled = false;

  constructor(id: string, sourceID: string, lines: readonly string[]) {
    this.id = id;
    this.sourceID = sourceID;
    this.#lines = lines;
  }

  seek(line: number): void {
    this.line = line;
  }

  deliver(visit: RecordVisitor): 'paused' | 'empty' | 'ended' {
    const text = this.#lines[this.line];
    if (text === undefined) return 'ended';
    if (!this.#isFilled) return 'empty';
    this.#isFilled = false;
    this.line++;
    const bytes = new TextEncoder().encode(text);
    const meta = { source: this.id, shardId: null, sequenceNumber: this.line, subSequence: null };
    const goOn = visit(bytes, 0, bytes.length, { ...meta, arrivalTime: 0, live: false, columns: null });
    this.onDelivered(this.line, text);
    return goOn ? 'empty' : 'paused';
  }

  async fill(): Promise<void> {
    this.#isFilled = true;
  }

  position(): Position {
    return { line: this.line };
  }

  progress(): { readonly read: number; readonly total: number } {
    return { read: this.line, total: this.#lines.length };
  }

  async close(): Promise<void> {}
}
