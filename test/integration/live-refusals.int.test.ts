// What keeps the live application from starting, as its user reads it: one line, what to do, and the exit code.
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { KinesisApi } from '../../src/connectors/kinesis/kinesis-api.ts';
import type { LocalKinesis } from '../support/local-kinesis.ts';
import { jobsOf, kill, LiveApplication, liveKinesis, stopWell, until } from './live.ts';
import { oneLine, type Running, run } from './program.ts';

let kinesis: LocalKinesis;
let api: KinesisApi;
let live: LiveApplication;
const running: Running[] = [];
beforeAll(async () => {
  ({ kinesis, api } = await liveKinesis());
});
beforeEach(async () => {
  live = await LiveApplication.create({ kinesis, api });
});
afterEach(async () => {
  for (const program of running.splice(0)) await kill(program);
});

function started(...settings: readonly string[]): Running {
  const program = live.start(...settings);
  running.push(program);
  return program;
}

async function refusal(...settings: readonly string[]): Promise<{ code: number | null; line: string }> {
  const { code, stdout, stderr } = await run(...live.words(...settings));
  expect(stdout).toBe('');
  return { code, line: oneLine(stderr) };
}

describe('a start is refused in one line, with what to do, when', () => {
  test.each([
    ['the stream of jobs does not exist', 'jobs.stream.name'],
    ['the stream of companies does not exist', 'companies.stream.name'],
    ['the stream of enriched companies does not exist', 'enrichedcompanies.stream.name'],
  ])('%s', async (_name, parameter) => {
    const { code, line } = await refusal(`${parameter}=nowhere`);
    expect(code).toBe(2);
    expect(line).toMatch(new RegExp(`^tenant-analytics: ${parameter}: there is no stream nowhere at http://127`));
    expect(line).toMatch(new RegExp(`--set ${parameter}=…\\. \\[STREAM_NOT_FOUND\\]$`));
  });

  test('Kinesis cannot be reached', async () => {
    const { code, line } = await refusal('aws.endpoint=http://127.0.0.1:1');
    expect(code).toBe(1);
    expect(line).toMatch(/at http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED.*aws\.endpoint.* \[KINESIS_UNREACHABLE\]$/);
  });

  test.each([
    ['a position has no time', 'jobs.stream.initial.position=AT_TIMESTAMP', 'jobs.stream.initial.timestamp', 'MISSING'],
    ['rows have no place', 'S3SinkPath=', 'S3SinkPath', 'MISSING'],
    ['TenantManager is not named', 'enrichment=lookup', 'tenantManagerEndpoint', 'MISSING'],
    ['churn scoring is not named', 'scoring=on', 'predictChurnApiEndpoint', 'MISSING'],
    ['a name is mistyped', 'checkpoint.intervall=1s', 'did you mean checkpoint.interval', 'UNKNOWN'],
    ['a value is none', 'checkpoint.interval=soon', 'checkpoint.interval: expected a duration', 'INVALID'],
  ])('%s', async (_name, setting, names, code) => {
    const refused = await refusal(setting);
    expect(refused.code).toBe(2);
    expect(refused.line).toContain(names);
    expect(refused.line.endsWith(`[PARAMETER_${code}]`)).toBe(true);
  });

  test('another process works on the same data.dir; that one goes on', async () => {
    await live.putCompanies('comp_0');
    await live.put(jobsOf(['comp_0'], 10));
    const first = started();
    await live.rowsReached(10, first);
    const { code, line } = await refusal();
    expect(code).toBe(1);
    expect(line).toMatch(new RegExp(`${live.folder}/data/state is in use by process ${first.pid}\\..* \\[LOCKED\\]$`));
    await live.put(jobsOf(['comp_0'], 10, 10));
    await live.rowsReached(20, first);
    await stopWell(first);
  });

  test('its state was counted in another way, or belongs to other streams; as before it goes on', async () => {
    await live.putCompanies('comp_0');
    await live.put(jobsOf(['comp_0'], 10));
    const first = started();
    await live.rowsReached(10, first);
    await stopWell(first);
    for (const [setting, names] of [
      ['activity.counting=per-event', 'activity.counting was "rolling", now "per-event"'],
      [`jobs.stream.name=${live.companies}`, 'jobs.stream.name was '],
      ['S3SinkFormat=csv', 'S3SinkFormat was "json", now "csv"'],
    ] as const) {
      const { code, line } = await refusal(setting);
      expect(code).toBe(2);
      expect(line).toContain(names);
      expect(line).toMatch(/Run it as before, or choose another data\.dir to begin anew\. \[STATE_MISMATCH\]$/);
    }
    await live.put(jobsOf(['comp_0'], 10, 10));
    const again = started();
    await live.rowsReached(20, again);
    await stopWell(again);
  });

  test('a stream was deleted and made anew', async () => {
    await live.putCompanies('comp_0');
    await live.put(jobsOf(['comp_0'], 10));
    const first = started();
    await live.rowsReached(10, first);
    await stopWell(first);
    await kinesis.deleteStream(live.jobs);
    await kinesis.createStream(live.jobs);
    const { code, line } = await refusal();
    expect(code).toBe(2);
    expect(line).toContain(live.jobs);
    expect(line).toMatch(/\[STREAM_CHANGED\]$/);
  });
});

test('Ctrl-C before anything came ends it well', async () => {
  const program = started();
  await until('the start', program, () => program.stderr().includes('Ctrl-C stops it'));
  const { stdout, stderr } = await stopWell(program);
  expect(stdout).toBe('Stopped after 0 job events in all.\n');
  expect(stderr).toMatch(/Stopping: taking a last checkpoint\.\n$/);
});
