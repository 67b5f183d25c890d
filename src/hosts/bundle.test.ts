// The graph as a bare JavaScript engine runs it: bundled, with nothing of Node or of a browser around it, and with a
// clock and a source of chance that throw.
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { build } from 'esbuild';
import { beforeAll, expect, test } from 'vitest';

const NO_CLOCK = `
  delete globalThis.console; // V8's own
  const RealDate = Date;
  const noClock = () => { throw new Error('the clock was read'); };
  globalThis.Date = class Date extends RealDate {
    constructor(...values) { super(...(values.length === 0 ? noClock() : values)); }
    static now() { return noClock(); }
  };
  Math.random = () => { throw new Error('chance was asked'); };
`;

/** What a host does with the graph; written in the bare engine's own words. */
const HOST = `
  const bytesOf = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const textOf = (encode) => {
    const to = new graph.ByteWriter();
    encode(to);
    return String.fromCharCode(...to.take());
  };
  const started = (texts) => graph.companyJobProcessing(graph.readParameters({ ApplicationConfigProperties: texts }));
  const meta = { source: 'jobs', shardId: 'shard-0', sequenceNumber: '1', subSequence: null, arrivalTime: 1750000000000, live: true, columns: null };
  const decoded = (source, text) => source.decode(bytesOf(text), 0, text.length, meta);
  const collected = (run) => {
    const got = { outputs: [], rejections: [], state: undefined };
    got.state = run({ emit: (row) => got.outputs.push(row), reject: (rejection) => got.rejections.push(rejection), count() {} });
    return got;
  };
`;

const least = { S3SinkPath: 'file:///rows', enrichment: 'join', scoring: 'off' };
const company = JSON.stringify({
  ...{ companyID: 'comp_4', industry: 'retail', revenu: 1000.5, employees: 12, job30: 3, job90: 9 },
  ...{ monthlyFee: 400, totalFee: 4800, updatedAt: '2025-06-01' },
});
const job = '{"companyID":"comp_4","userID":"user_1","nbJobs":4,"creationDate":1749000000000}';
let bundle = '';

beforeAll(async () => {
  const built = await build({
    entryPoints: [fileURLToPath(new URL('./bundle.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'graph',
    target: 'node20',
    platform: 'neutral', // Refuses Node's own modules.
    mainFields: ['module', 'main'],
    logLevel: 'silent',
  });
  bundle = built.outputFiles[0]?.text ?? '';
});

/** Runs a script after the bundle, in a new engine; its last expression comes back as JSON. */
function inBareEngine(script: string): unknown {
  const context = vm.createContext({}, { codeGeneration: { strings: false, wasm: false } });
  const run = (code: string): unknown => vm.runInContext(code, context);
  run(NO_CLOCK);
  run(bundle);
  run(HOST);
  const result = run(script);
  return typeof result === 'string' ? JSON.parse(result) : result;
}

test('the engine is as bare as it should be, or these tests say nothing', () => {
  const names = ['process', 'Buffer', 'TextDecoder', 'TextEncoder', 'URL', 'console', 'setTimeout', 'fetch', 'require'];
  expect(inBareEngine(`JSON.stringify(${JSON.stringify(names)}.map((name) => typeof globalThis[name]))`)).toEqual(
    names.map(() => 'undefined'),
  );
  expect(() => inBareEngine('Date.now()')).toThrow('the clock was read');
  expect(() => inBareEngine('new Date()')).toThrow('the clock was read');
  expect(() => inBareEngine('Math.random()')).toThrow('chance was asked');
  expect(() => inBareEngine(`new Function('return 1')`)).toThrow();
});

test('a job goes from its record to its row, and its silence to another', () => {
  const result = inBareEngine(`
    const { sources: [companies, jobs], stages: [activity], sinks: [rows] } = started(${JSON.stringify(least)});
    const known = collected((out) => activity.onEvent(undefined, decoded(companies, ${JSON.stringify(company)}), out));
    const counted = collected((out) => activity.onEvent(known.state, decoded(jobs, ${JSON.stringify(job)}), out));
    const to = new graph.ByteWriter();
    activity.state.encode(counted.state, to);
    const restored = activity.state.decode(new graph.ByteReader(to.take()), activity.state.version);
    const at = activity.nextTimer(restored);
    const silent = collected((out) => activity.onTimer(restored, at, out));
    const all = [...counted.outputs, ...silent.outputs];
    JSON.stringify({ rows: all.map((row) => textOf((to) => rows.encode(row, to))), partitions: all.map(rows.partition), at });
  `) as { rows: string[]; partitions: string[]; at: number };
  expect(result.rows.map((line) => JSON.parse(line))).toMatchObject([
    {
      companyID: 'comp_4',
      job30: 7,
      job90: 13,
      riskOfChurn: null,
      trigger: 'job',
      eventTime: 1_749_000_000_000,
      version: 1,
    },
    { companyID: 'comp_4', job30: 4, job90: 13, trigger: 'decay', eventID: 'decay:comp_4:2025-07-01', version: 2 },
  ]);
  expect(result.partitions).toEqual(['dt=2025-06-04', 'dt=2025-07-01']);
  expect(result.at).toBe(Date.UTC(2025, 6, 1));
});

test('every notation is read: CSV with quotes, a header, escapes and UTF-8', () => {
  const utf8 = Buffer.from('{"companyID":"Žluť 🐎","userID":"\\u0061","nbJobs":2}').toString('latin1');
  const result = inBareEngine(`
    const { sources: [companies, jobs] } = started(${JSON.stringify(least)});
    JSON.stringify([
      decoded(jobs, '"a, b",u,1,2025-06-01T00:00:00+02:00'),
      decoded(jobs, ${JSON.stringify(utf8)}),
      decoded(companies, 'c,IT,1.5,2,3,4,5,6'),
      jobs.header('"company_id",userid,#job_submitted'),
    ]);
  `);
  expect(result).toMatchObject([
    { companyID: 'a, b', nbJobs: 1, time: Date.UTC(2025, 4, 31, 22), eventID: 'shard-0:1' },
    { companyID: 'Žluť 🐎', userID: 'a', nbJobs: 2, time: 1_750_000_000_000 },
    { companyID: 'c', profile: { revenu: 1.5, totalFee: 6 } },
    { companyID: 0, userID: 1, nbJobs: 2 },
  ]);
});

test('what cannot be used becomes a dead letter', () => {
  const result = inBareEngine(`
    const { sources: [, jobs], stages: [activity], deadLetters } = started(${JSON.stringify(least)});
    const broken = decoded(jobs, '{"companyID":');
    const unknown = collected((out) => activity.onEvent(undefined, decoded(jobs, 'nobody,u,1'), out)).rejections[0];
    const letter = { source: 'jobs', shardId: null, sequenceNumber: '7', arrivalTime: meta.arrivalTime, payload: bytesOf('{"companyID":') };
    JSON.stringify([broken, unknown].map(({ reason, message }) => {
      const whole = { ...letter, reason, message };
      return [deadLetters.partition(whole), textOf((to) => deadLetters.encode(whole, to))];
    }));
  `) as [string, string][];
  expect(result.map(([partition]) => partition)).toEqual(['dt=2025-06-15', 'dt=2025-06-15']);
  expect(result.map(([, line]) => JSON.parse(line))).toMatchObject([
    { reason: 'malformed', sequenceNumber: '7', payload: Buffer.from('{"companyID":').toString('base64') },
    { reason: 'unknown-company', message: 'companyID: expected a known company, got "nobody"' },
  ]);
});

test('the two services are asked and their answers read', () => {
  const whole = {
    S3SinkPath: 's3://b/p',
    S3SinkFormat: 'csv',
    tenantManagerEndpoint: 'http://t',
    predictChurnApiEndpoint: 'http://s/score',
  };
  const result = inBareEngine(`
    const { sources: [, jobs], stages: [lookup, activity, scoring, risk], sinks: [rows] } = started(${JSON.stringify(whole)});
    const response = (body) => ({ status: 200, headers: {}, body, receivedAt: meta.arrivalTime });
    const job = decoded(jobs, ${JSON.stringify(job)});
    const answer = lookup.respond(job, response(${JSON.stringify(company)}));
    const counted = collected((out) => activity.onEvent(undefined, lookup.complete(job, answer.value, false), out));
    const [row] = counted.outputs;
    const score = scoring.respond(row, response('{"churn":true,"probability":0.5}'));
    const [marked] = collected((out) => risk.onEvent({ version: 0, churn: false }, scoring.complete(row, score.value, false), out)).outputs;
    JSON.stringify({
      urls: [lookup.request(job).url, scoring.request(row).url],
      key: scoring.cacheKey(row),
      flip: marked.riskChanged,
      csv: textOf((to) => rows.encode(marked, to)),
    });
  `);
  expect(result).toMatchObject({
    urls: ['http://t/api/v1/tenants/comp_4', 'http://s/score'],
    key: expect.stringContaining('"job30":7'),
    flip: 'at-risk',
    csv: 'comp_4,retail,1000.5,12,7,13,400,4800,true\n',
  });
});

test('wrong parameters are told as they are elsewhere', () => {
  const told = inBareEngine(`
    try { started({ S3SinkPaht: 'x' }); } catch (error) { JSON.stringify([error.code, error.message]); }
  `);
  expect(told).toEqual(['PARAMETER_UNKNOWN', 'Unknown parameter S3SinkPaht; did you mean S3SinkPath?']);
});
