import type { ServerResponse } from 'node:http';
import type { EpochMs } from '../../base/time.ts';
import type { CompanyNews, Flip, Status } from './insights-schema.ts';

export type FeedEvent =
  | { readonly event: 'company'; readonly data: CompanyNews }
  | { readonly event: 'flip'; readonly data: Flip }
  | { readonly event: 'status'; readonly data: Status };

/** Events kept for who comes back with Last-Event-ID. */
const KEPT_EVENTS = 500;
/** What may wait for a reader that is slow; beyond, it is cut off, and comes back by itself with Last-Event-ID. */
const MOST_WAITING_BYTES = 512 * 1024;
const MOST_READERS = 100;
const HEART_BEAT_MS = 15_000;
const COME_BACK_MS = 2000;

interface Sent {
  readonly id: number;
  readonly text: string;
}

/**
 * The live feed as Server-Sent Events. Each event has an id, and a reader that comes back is told what it missed, as far as
 * it is kept; `status` is not kept, the newest follows anyway.
 */
export class Feed {
  readonly #readers = new Set<ServerResponse>();
  readonly #kept: Sent[] = [];
  /** Ids of an earlier process mean nothing in this one. */
  readonly #run: string;
  readonly #heart: NodeJS.Timeout;
  #last = 0;

  constructor(startedAt: EpochMs) {
    this.#run = startedAt.toString(36);
    this.#heart = setInterval(() => this.#write(': still here\n\n'), HEART_BEAT_MS);
    this.#heart.unref();
  }

  get readers(): number {
    return this.#readers.size;
  }

  publish({ event, data }: FeedEvent): void {
    const sent = { id: ++this.#last, text: this.#textOf(this.#last, event, data) };
    if (event !== 'status') this.#kept.push(sent);
    if (this.#kept.length > KEPT_EVENTS) this.#kept.shift();
    this.#write(sent.text);
  }

  /** Writes the feed to a response from now on, begun by the newest status. False: there are too many readers. */
  read(response: ServerResponse, lastEventID: string | undefined, status: Status): boolean {
    if (this.#readers.size >= MOST_READERS) return false;
    response.on('close', () => this.#readers.delete(response));
    response.on('error', () => this.#readers.delete(response));
    response.write(`retry: ${COME_BACK_MS}\n\n`);
    for (const { text } of this.#missed(lastEventID)) response.write(text);
    // Under the last id, so that it does not stand for events that were not sent.
    response.write(this.#textOf(this.#last, 'status', status));
    this.#readers.add(response);
    return true;
  }

  close(): void {
    clearInterval(this.#heart);
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  #missed(lastEventID: string | undefined): readonly Sent[] {
    const [run, id] = lastEventID?.split('-') ?? [];
    return run === this.#run && /^\d+$/.test(id ?? '') ? this.#kept.filter((sent) => sent.id > Number(id)) : [];
  }

  #textOf(id: number, event: string, data: object): string {
    return `id: ${this.#run}-${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #write(text: string): void {
    for (const reader of this.#readers) {
      reader.write(text);
      if (reader.writableLength > MOST_WAITING_BYTES) reader.destroy();
    }
  }
}
