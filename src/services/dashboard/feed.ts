import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { EpochMs } from '../../base/time.ts';
import type { CompanyNews, Flip, Status } from './insights-schema.ts';

export type FeedEvent =
  | { readonly event: 'company'; readonly data: CompanyNews }
  | { readonly event: 'flip'; readonly data: Flip };

/** Events kept for who comes back with Last-Event-ID. */
const KEPT_EVENTS = 500;
/** What may wait for a reader that is slow; beyond, it is cut off, and comes back by itself with Last-Event-ID. */
const MOST_WAITING_BYTES = 512 * 1024;
const MOST_READERS = 100;
/** So that one tenant cannot take the places of all. */
const MOST_READERS_OF_A_COMPANY = 10;
const HEART_BEAT_MS = 15_000;
const COME_BACK_MS = 2000;

interface Sent {
  readonly id: number;
  /** Its id for who sees one company: a number would tell how much happens to the others. */
  readonly key: string;
  readonly companyID: string;
  readonly event: string;
  readonly data: string;
}

export interface Reading {
  readonly lastEventID: string | undefined;
  readonly status: Status;
  /** Only events of this company are told; all unless given. */
  readonly companyID?: string | undefined;
}

/**
 * The live feed as Server-Sent Events. Each event has an id, and a reader that comes back is told what it missed, as far as
 * it is kept; `status` is not kept, the newest follows anyway. Who reads for a company is told what is of it, and no more.
 */
export class Feed {
  readonly #readers = new Map<ServerResponse, string | undefined>();
  readonly #kept: Sent[] = [];
  /** Ids of an earlier process mean nothing in this one. */
  readonly #run: string;
  readonly #heart: NodeJS.Timeout;
  #last = 0;

  constructor(startedAt: EpochMs) {
    this.#run = startedAt.toString(36);
    this.#heart = setInterval(() => this.#writeAll(': still here\n\n'), HEART_BEAT_MS);
    this.#heart.unref();
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** Companies that somebody reads the feed for. */
  get watched(): readonly string[] {
    return [...new Set(this.#readers.values())].filter((companyID) => companyID !== undefined);
  }

  publish({ event, data }: FeedEvent): void {
    const { companyID } = data;
    const sent = { id: ++this.#last, key: keyOf(), companyID, event, data: JSON.stringify(data) };
    this.#kept.push(sent);
    if (this.#kept.length > KEPT_EVENTS) this.#kept.shift();
    for (const [reader, only] of this.#readers) {
      if (only === undefined || only === companyID) this.#write(reader, this.#textOf(sent, only));
    }
  }

  /** To each reader the status of what it sees. */
  async publishStatus(statusOf: (companyID: string | undefined) => Promise<Status>): Promise<void> {
    for (const only of new Set(this.#readers.values())) {
      const status = await statusOf(only);
      for (const [reader, its] of this.#readers) {
        if (its === only) this.#write(reader, this.#statusText(status, only));
      }
    }
  }

  /** Writes the feed to a response from now on, begun by the newest status. False: there are too many readers. */
  read(response: ServerResponse, { lastEventID, status, companyID }: Reading): boolean {
    // Gone while its status was asked for: nothing would ever tell that it is.
    if (response.destroyed) return true;
    if (this.#readers.size >= MOST_READERS || this.#isTaken(companyID)) return false;
    response.on('close', () => this.#readers.delete(response));
    response.on('error', () => this.#readers.delete(response));
    response.write(`retry: ${COME_BACK_MS}\n\n`);
    for (const sent of this.#missed(lastEventID, companyID)) response.write(this.#textOf(sent, companyID));
    response.write(this.#statusText(status, companyID));
    this.#readers.set(response, companyID);
    return true;
  }

  close(): void {
    clearInterval(this.#heart);
    for (const reader of this.#readers.keys()) reader.end();
    this.#readers.clear();
  }

  #isTaken(companyID: string | undefined): boolean {
    if (companyID === undefined) return false;
    return [...this.#readers.values()].filter((only) => only === companyID).length >= MOST_READERS_OF_A_COMPANY;
  }

  #missed(lastEventID: string | undefined, only: string | undefined): readonly Sent[] {
    const [run, id = ''] = lastEventID?.split('-') ?? [];
    if (run !== this.#run) return [];
    if (only === undefined) return /^\d+$/.test(id) ? this.#kept.filter((sent) => sent.id > Number(id)) : [];
    const its = this.#kept.filter(({ companyID }) => companyID === only);
    // One that is not kept any more is older than all that are.
    return its.slice(its.findIndex(({ key }) => key === id) + 1);
  }

  #textOf({ id, key, event, data }: Sent, only: string | undefined): string {
    return text(`${this.#run}-${only === undefined ? id : key}`, event, data);
  }

  /** Under the last id, so that it does not stand for events that were not sent. */
  #statusText(status: Status, only: string | undefined): string {
    const last = only === undefined ? this.#last : this.#kept.findLast(({ companyID }) => companyID === only)?.key;
    return text(`${this.#run}-${last ?? NOTHING_YET}`, 'status', JSON.stringify(status));
  }

  #writeAll(text: string): void {
    for (const reader of this.#readers.keys()) this.#write(reader, text);
  }

  #write(reader: ServerResponse, text: string): void {
    reader.write(text);
    if (reader.writableLength > MOST_WAITING_BYTES) reader.destroy();
  }
}

const NOTHING_YET = 'k0';

function keyOf(): string {
  return `k${randomBytes(8).toString('hex')}`;
}

function text(id: string, event: string, data: string): string {
  return `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`;
}
