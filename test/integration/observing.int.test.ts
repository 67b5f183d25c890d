// How the real program is looked at from outside: its log, its metrics, its traces.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { awsKinesis } from '../../src/connectors/kinesis/aws-kinesis.ts';
import { METRIC_TABLE, type MetricPart } from '../../src/observe/metric-table.ts';
import { traceIDOf } from '../../src/observe/trace-sdk.ts';
import { LOCAL_REGION, startLocalKinesis } from '../support/local-kinesis.ts';
import { TestServices } from '../support/test-services.ts';
import { temporaryFolder } from './folders.ts';
import { companyProfile, jobsOf, LiveApplication, type Row, rowsBelow, stopWell, until } from './live.ts';
import { type Running, run, start } from './program.ts';

interface Line {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly part?: string;
  readonly correlationID?: string;
  readonly code?: string;
}

/** Each line of the log so far, every one of which must be JSON; the last may be half written. */
function logOf(program: { stderr(): string }): Line[] {
  const whole = program.stderr().slice(0, program.stderr().lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

interface Span {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
}

/** A collector: takes OTLP over HTTP, as JSON. */
class Collector {
  readonly spans: Span[] = [];
  readonly bodies: string[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => {
        if (request.url === '/v1/traces') this.#take(body);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(body: string): void {
    this.bodies.push(body);
    const { resourceSpans } = JSON.parse(body) as {
      resourceSpans: {
        resource: { attributes: { key: string; value: { stringValue: string } }[] };
        scopeSpans: { spans: Omit<Span, 'service'>[] }[];
      }[];
    };
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
      for (const { name, traceId, spanId, parentSpanId } of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({ service, name, traceId, spanId, parentSpanId });
      }
    }
  }
}

describe('one event through the whole system', () => {
  const collector = new Collector();
  let folder = '';
  let program: Running;
  let rows: Row[] = [];
  const metrics: Record<string, string> = {};
  beforeAll(async () => {
    folder = await temporaryFolder();
    const ports = ['kinesis', 'tenant-manager', 'churn-scoring', 'metrics', 'dashboard'];
    program = start(
      ...['start', '--folder', folder, '--rate', '0', ...ports.flatMap((name) => [`--${name}-port`, '0'])],
      ...['--set', 'checkpoint.interval=100ms', '--set', 'sink.roll.age=300ms'],
      ...['--log-format', 'json', '--log-level', 'debug', '--traces', await collector.start()],
    );
    const address = (of: RegExp) => of.exec(program.stdout())?.[1] ?? '';
    await until('the application', program, () => program.stdout().includes('Enriched companies as they arrive'));
    const record = '{"companyID":"comp_4","userID":"user_1","nbJobs":1,"eventID":"story-17"}';
    await run('send', record, '--endpoint', address(/Kinesis +(http:\S+)/));
    await until('the row', program, async () => (await rowsBelow(`${folder}/rows`)).length > 0);
    rows = await rowsBelow(`${folder}/rows`);
    const urls = {
      pipeline: address(/metrics +(http:\S+)\/metrics/),
      'tenant-manager': address(/TenantManager +(http:\/\/[^/]+)/),
      'churn-scoring': address(/churn scoring +(http:\/\/[^/]+)/),
      dashboard: address(/dashboard +(http:\S+)/),
    };
    const telling = async (name: keyof typeof urls) => {
      metrics[name] = await (await fetch(`${urls[name]}/metrics`)).text();
      return metrics[name];
    };
    await until('all are told', program, async () => {
      await telling('pipeline');
      await telling('churn-scoring');
      return (
        (await telling('tenant-manager')).includes('tenant_manager_published_total 300\n') &&
        (await telling('tenant-manager')).includes('tenant_manager_outbox_records 0\n') &&
        (await telling('dashboard')).includes('dashboard_rows_total 1\n')
      );
    });
    await stopWell(program);
  }, 240_000);
  afterAll(() => collector.stop());

  test('its id finds it in the log of each part that had to do with it, in order, and in its row', () => {
    const told = logOf(program).filter(({ correlationID }) => correlationID === 'story-17');
    const said = told.map(({ part, msg }) => `${part} ${msg}`);
    // A service tells a request when its answer is out: before or after its caller has it.
    expect([...said].sort()).toEqual(
      [
        ...['graph record', 'tenant-manager request', 'calls call'],
        ...['churn-model request', 'churn-scoring request', 'calls call', 'graph row', 'graph row'],
      ].sort(),
    );
    expect(said[0]).toBe('graph record');
    expect(said.indexOf('tenant-manager request')).toBeLessThan(said.indexOf('churn-scoring request'));
    expect(said.slice(-1)).not.toEqual(['graph record']);
    expect(rows).toMatchObject([{ eventID: 'story-17', companyID: 'comp_4', scoreStatus: 'scored' }]);
  });

  test('the log is one JSON object a line, with time and level, and holds no key', () => {
    const key = /x-api-key: (\w{16,})/.exec(program.stdout())?.[1] ?? '';
    expect(key).not.toBe('');
    expect(program.stderr()).not.toContain(key);
    const lines = logOf(program);
    expect(lines.length).toBeGreaterThan(10);
    for (const { time, level, msg } of lines) {
      expect([new Date(time).toISOString(), level, typeof msg]).toEqual([
        time,
        expect.stringMatching(/debug|info|warn/),
        'string',
      ]);
    }
  });

  test('its trace, found by its id, holds each call of it, and what services did inside', () => {
    const trace = collector.spans.filter(({ traceId }) => traceId === traceIDOf('story-17'));
    const parents = new Map(trace.map((span) => [span.spanId, `${span.service}: ${span.name}`]));
    const seen = trace.map(({ service, name, parentSpanId }) => [
      `${service}: ${name}`,
      parents.get(parentSpanId ?? ''),
    ]);
    expect(seen.sort()).toEqual(
      [
        ['tenant-analytics: GET', undefined],
        ['tenant-manager: GET /api/v1/tenants/:companyID', 'tenant-analytics: GET'],
        ['tenant-analytics: POST', undefined],
        ['churn-scoring: POST /prod/assessChurn', 'tenant-analytics: POST'],
        ['churn-scoring: InvokeEndpoint', 'churn-scoring: POST /prod/assessChurn'],
        ['churn-model: POST /endpoints/:name/invocations', 'churn-scoring: InvokeEndpoint'],
      ].sort(),
    );
  });

  test('checkpoints and changes of tenants have spans, too, and none holds a user or what a company pays', () => {
    const names = new Set(collector.spans.map(({ service, name }) => `${service}: ${name}`));
    for (const name of ['tenant-analytics: checkpoint', 'tenant-manager: publish companies'])
      expect(names).toContain(name);
    expect(collector.bodies.join('')).not.toMatch(/user_1|monthlyFee|x-api-key/);
  });

  test.each<[string, readonly MetricPart[]]>([
    ['pipeline', ['pipeline', 'process']],
    ['tenant-manager', ['tenant-manager', 'http', 'process']],
    ['churn-scoring', ['churn-scoring', 'churn-model', 'http', 'process']],
    ['dashboard', ['dashboard', 'http', 'process']],
  ])('/metrics of %s tells the metrics of %j, each once', (service, parts) => {
    const told = [...(metrics[service] ?? '').matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
    const names = parts.flatMap((part) => Object.entries(METRIC_TABLE[part]));
    const here = names.filter(([, { meaning }]) => process.platform === 'linux' || !meaning.includes('(Linux)'));
    expect(told.sort()).toEqual(here.map(([name]) => name).sort());
  });

  test('and the event is in them', () => {
    expect(metrics.pipeline).toContain('tenant_analytics_records_total{source="jobs"} 1\n');
    expect(metrics['churn-scoring']).toMatch(/churn_scoring_scores_total\{outcome="[\w-]+"\} 1\n/);
    expect(metrics['tenant-manager']).toContain(
      'tenant_analytics_http_requests_total{service="tenant-manager",method="GET",route="/api/v1/tenants/:companyID",status="200"} 1\n',
    );
  });
});

describe('a run', () => {
  test('tells records and calls at debug only, and neither its token nor its key at any level', async () => {
    const services = new TestServices(new Map([['c1', companyProfile('c1')]]));
    await services.start();
    const kinesis = await startLocalKinesis();
    const api = awsKinesis({ region: LOCAL_REGION, endpoint: kinesis.endpoint });
    try {
      const secrets = ['tenantManagerToken=token-of-the-test', 'predictChurnApiKey=key-of-the-test'];
      const live = await LiveApplication.create({ kinesis, api, settings: services.settings(...secrets) });
      await live.put(jobsOf(['c1'], 2));
      for (const level of ['debug', 'info']) {
        const program = start(...live.words(), '--log-format', 'json', '--log-level', level);
        await until('its rows', program, async () => (await live.rows()).length >= (level === 'debug' ? 2 : 4));
        const { stderr } = await stopWell(program);
        if (level === 'debug') await live.put(jobsOf(['c1'], 2, 10));
        expect(stderr).not.toMatch(/token-of-the-test|key-of-the-test/);
        const lines = logOf(program);
        expect(lines.some(({ msg }) => /^(First start|Going on)/.test(msg))).toBe(true);
        expect(new Set(lines.map((line) => line.level)).has('debug')).toBe(level === 'debug');
        if (level === 'debug') {
          const calls = lines.filter(({ part }) => part === 'calls').map(({ correlationID }) => correlationID);
          const made = (await live.rows()).map(({ eventID }) => eventID);
          expect(calls.length).toBeGreaterThanOrEqual(2);
          for (const id of calls) expect(made).toContain(id);
        }
      }
      expect(services.lookups().every(({ headers }) => headers.authorization === 'Bearer token-of-the-test')).toBe(
        true,
      );
    } finally {
      api.close();
      await kinesis.stop();
      await services.stop();
    }
  });
});

describe('a service', () => {
  afterEach(() => vi.unstubAllEnvs());
  const company = JSON.stringify(companyProfile('c1'));

  async function scoring(...words: readonly string[]): Promise<{ program: Running; url: string }> {
    vi.stubEnv('CHURN_SCORING_API_KEY', 'key-of-the-test');
    const program = start('churn-scoring', '--port', '0', ...words);
    const url = () => /POST (http:\S+)\/prod/.exec(program.stdout())?.[1];
    await until('its address', program, () => url() !== undefined);
    return { program, url: url() ?? '' };
  }

  const ask = (url: string) =>
    fetch(`${url}/prod/assessChurn`, {
      method: 'POST',
      body: company,
      headers: { 'x-api-key': 'key-of-the-test', 'x-correlation-id': 'asked-by-hand' },
    });

  test('tells each request at debug, never its key, and answers with the id that it was asked with', async () => {
    vi.stubEnv('LOG_FORMAT', 'json');
    vi.stubEnv('LOG_LEVEL', 'debug');
    const { program, url } = await scoring();
    const answer = await ask(url);
    expect([answer.status, answer.headers.get('x-correlation-id')]).toEqual([200, 'asked-by-hand']);
    await until('its line', program, () => logOf(program).some(({ part }) => part === 'churn-scoring'));
    await stopWell(program);
    const told = logOf(program).filter(({ correlationID }) => correlationID === 'asked-by-hand');
    expect(told.map(({ part }) => part).sort()).toEqual(['churn-model', 'churn-scoring']);
    expect(program.stderr() + program.stdout()).not.toContain('key-of-the-test');
  });

  test('whose collector is away says so, and answers as before', async () => {
    const collector = new Collector();
    const url = await collector.start();
    await collector.stop();
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', url);
    const service = await scoring();
    expect((await ask(service.url)).status).toBe(200);
    await until('that it is away', service.program, () => service.program.stderr().includes('Traces cannot be sent'));
    expect((await ask(service.url)).status).toBe(200);
    const { code } = await stopWell(service.program);
    expect(code).toBe(0);
  });

  test('that cannot start says why in one JSON line, without the password in its database URL', async () => {
    vi.stubEnv('DATABASE_URL', 'postgresql://someone:pass-of-the-test@127.0.0.1:1/tenants');
    const folder = await temporaryFolder();
    const { code, stderr } = await run('tenant-manager', '--port', '0', '--folder', folder, '--log-format', 'json');
    expect(code).not.toBe(0);
    const [line, ...others] = logOf({ stderr: () => stderr });
    expect(others).toEqual([]);
    expect(line).toMatchObject({ level: 'error', code: expect.stringMatching(/^[A-Z_]+$/) });
    expect(stderr).not.toContain('pass-of-the-test');
  });
});

test.each([
  [['--log-level', 'loud'], /--log-level.*'loud' is invalid\. Expected one of debug, info, warn, error/],
  [['--log-format', 'xml'], /--log-format.*'xml' is invalid\. Expected one of text, json/],
  [['--trace-ratio', '2'], /--trace-ratio.*Expected a number from 0 to 1/],
  [['--traces', 'nowhere'], /--traces .*expected the URL of a collector.*got nowhere.*\[USAGE\]/],
])('%j is wrong usage, and says what is right', async (words, message) => {
  const { code, stderr } = await run('dashboard', '--port', '0', ...words);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});
