import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Profile = Record<string, string | number>;

export interface Asked {
  readonly method: string | undefined;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export const isScoring = ({ method }: Asked): boolean => method === 'POST';

/** A score is a function of the features alone. */
export const isAtRisk = (job30: number, job90: number): boolean => (job30 + job90) % 5 === 0;

/** TenantManager and churn scoring on one port of 127.0.0.1, as well or ill as told. */
export class TestServices {
  readonly asked: Asked[] = [];
  delayMs = 0;
  inFlight = 0;
  mostInFlight = 0;
  /** Status of an answer in place of the right one; or none is ever given. */
  illness: (asked: Asked) => number | 'hangs' | undefined = () => undefined;
  readonly #tenants: ReadonlyMap<string, Profile>;
  #server: Server | undefined;
  #port = 0;

  constructor(tenants: ReadonlyMap<string, Profile>) {
    this.#tenants = tenants;
  }

  /** On the port it had before, if it had one; does nothing when it runs. */
  async start(): Promise<void> {
    if (this.#server?.listening) return;
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      request.on('end', async () => {
        const asked = { method: request.method, url: request.url ?? '', headers: request.headers, body };
        this.asked.push(asked);
        this.inFlight++;
        this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
        if (this.delayMs > 0) await sleep(this.delayMs);
        const answer = this.#answer(asked);
        if (answer === undefined) return;
        this.inFlight--;
        response.writeHead(answer[0], { 'content-type': 'application/json' }).end(JSON.stringify(answer[1]));
      });
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  /** The parameters with which the program calls them, as `name=value`. */
  settings(...more: string[]): string[] {
    const base = `http://127.0.0.1:${this.#port}`;
    return [
      'enrichment=lookup',
      'scoring=on',
      `tenantManagerEndpoint=${base}`,
      `predictChurnApiEndpoint=${base}/prod/assessChurn`,
      ...['tenant', 'score'].map((service) => `${service}.breaker.reset=100ms`),
      ...more,
    ];
  }

  lookups(): Asked[] {
    return this.asked.filter(({ method }) => method === 'GET');
  }

  scorings(): Asked[] {
    return this.asked.filter(isScoring);
  }

  #answer(asked: Asked): [number, unknown] | undefined {
    const ill = this.illness(asked);
    if (ill === 'hangs') return undefined;
    if (ill !== undefined) return [ill, { message: 'ill' }];
    const companyID = /^\/api\/v1\/tenants\/([^/?]+)$/.exec(asked.url)?.[1];
    if (asked.method === 'GET' && companyID !== undefined) {
      const profile = this.#tenants.get(decodeURIComponent(companyID));
      return profile === undefined ? [404, { message: 'no such tenant' }] : [200, profile];
    }
    if (asked.method !== 'POST' || asked.url !== '/prod/assessChurn') return [418, { message: 'no such path' }];
    const { job30, job90 } = JSON.parse(asked.body) as { job30: number; job90: number };
    const churn = isAtRisk(job30, job90);
    return [200, { churn, probability: churn ? 0.75 : 0.25, reasons: [`job30=${job30}`], modelVersion: 'm-1' }];
  }
}
