// A webhook of 127.0.0.1, as well or ill as told.
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TakenAlert {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
}

export class AlertReceiver {
  /** Alerts that were answered with success. */
  readonly taken: TakenAlert[] = [];
  /** All requests, whatever the answer. */
  asked = 0;
  /** Status of the next answers; or none is given. */
  answer: number | 'hangs' = 200;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      request.on('end', () => {
        this.asked++;
        if (this.answer === 'hangs') return;
        if (this.answer < 300) {
          this.taken.push({ url: request.url ?? '', headers: request.headers, body: JSON.parse(text) });
        }
        response.writeHead(this.answer).end();
      });
    });
  }

  static async start(): Promise<AlertReceiver> {
    const receiver = new AlertReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** In the order in which they came. */
  get keys(): readonly unknown[] {
    return this.taken.map(({ headers }) => headers['idempotency-key']);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
