/**
 * `tsx bench/peers/calls.ts CLIENT BASE_URL CALLS CONCURRENCY OUT_FILE`: so many calls by one HTTP client, nothing else;
 * writes the calls a second, without start-up, to OUT_FILE.
 */
import { writeFileSync } from 'node:fs';
import { Agent as NodeAgent, request as nodeRequest } from 'node:http';
import { performance } from 'node:perf_hooks';
import { Agent, request as undiciRequest } from 'undici';
import { nodeTransport } from '../../src/connectors/http/node-transport.ts';

const TIMEOUT_MS = 5000;

const [client = '', base = '', callsText, concurrencyText, outFile = ''] = process.argv.slice(2);
const [calls, concurrency] = [Number(callsText), Number(concurrencyText)];

/** Each asks for one path, and gives the body as text. */
const CLIENTS: Readonly<Record<string, () => (url: string) => Promise<string>>> = {
  transport() {
    const transport = nodeTransport(concurrency, Date.now);
    const { signal } = new AbortController();
    const headers = { accept: 'application/json' };
    return async (url) => {
      const { body } = await transport.send({ method: 'GET', url, headers, body: null }, TIMEOUT_MS, signal);
      return body;
    };
  },
  undici() {
    const dispatcher = new Agent({ connections: concurrency, pipelining: 1 });
    return async (url) => (await undiciRequest(url, { dispatcher, headersTimeout: TIMEOUT_MS })).body.text();
  },
  node() {
    const agent = new NodeAgent({ keepAlive: true, maxSockets: concurrency });
    return (url) =>
      new Promise((resolve, reject) => {
        const sent = nodeRequest(url, { agent, timeout: TIMEOUT_MS }, (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => {
            text += part;
          });
          response.on('end', () => resolve(text));
        });
        sent.on('timeout', () => sent.destroy(new Error('timeout')));
        sent.on('error', reject);
        sent.end();
      });
  },
};

const make = CLIENTS[client];
if (make === undefined) throw new Error(`expected one of ${Object.keys(CLIENTS).join(', ')}, got ${client}`);
const get = make();
let next = 0;

async function worker(until: number): Promise<void> {
  while (next < until) {
    const nth = next++;
    const body = await get(`${base}/api/v1/tenants/comp_${nth}`);
    if (!body.includes(`"comp_${nth}"`)) throw new Error(`expected company ${nth}, got ${body}`);
  }
}

async function run(): Promise<void> {
  const atOnce = (until: number) => Promise.all(Array.from({ length: concurrency }, () => worker(until)));
  await atOnce(concurrency * 10); // Connections are made, code is warm.
  const begun = performance.now();
  await atOnce(concurrency * 10 + calls);
  const perSecond = calls / ((performance.now() - begun) / 1000);
  writeFileSync(outFile, JSON.stringify({ perSecond }));
  process.exit(0);
}

run().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
