import { describe, expect, test } from 'vitest';
import type { Graph } from '../runtime/contract.ts';
import { companyJobProcessing } from './company-job-processing.ts';
import { type ParameterTexts, readParameters } from './parameters.ts';

const endpoints = { tenantManagerEndpoint: 'http://t', predictChurnApiEndpoint: 'http://s' };
const graphOf = (application: Record<string, string> = {}, other: ParameterTexts = {}): Graph =>
  companyJobProcessing(
    readParameters({
      ...other,
      ApplicationConfigProperties: { S3SinkPath: 's3://b/rows', ...endpoints, ...application },
    }),
  );
const wiring = ({ stages, sinks }: Graph): Record<string, readonly string[]> =>
  Object.fromEntries([...stages, ...sinks].map(({ id, inputs }) => [id, inputs]));

describe('the graph', () => {
  test('looks up, counts, scores and marks, then writes to both sinks', () => {
    expect(wiring(graphOf())).toEqual({
      'tenant-lookup': ['jobs'],
      'company-activity': ['companies', 'tenant-lookup'],
      'churn-scoring': ['company-activity'],
      'churn-risk': ['churn-scoring'],
      rows: ['churn-risk'],
      enrichedcompanies: ['churn-risk'],
    });
  });

  test('leaves out what is switched off', () => {
    const only = {
      'company-activity': ['companies', 'jobs'],
      rows: ['company-activity'],
      enrichedcompanies: ['company-activity'],
    };
    expect(wiring(graphOf({ enrichment: 'join', scoring: 'off' }))).toEqual(only);
    expect(Object.keys(wiring(graphOf({ enrichment: 'join' })))).not.toContain('tenant-lookup');
    expect(Object.keys(wiring(graphOf({ scoring: 'off' })))).not.toContain('churn-scoring');
  });

  test('names each stage once, and after all its inputs', () => {
    const graph = graphOf();
    const known = new Set(graph.sources.map(({ id }) => id));
    for (const { id, inputs } of [...graph.stages, ...graph.sinks]) {
      for (const input of inputs) expect(known).toContain(input);
      expect(known).not.toContain(id);
      known.add(id);
    }
  });

  test('reads companies first, and lets jobs alone drive the watermark', () => {
    const texts = { ConsumerConfigProperties: { 'jobs.stream.name': 'j', 'companies.stream.name': 'c' } };
    expect(graphOf({ 'record.maxBytes': '2 KiB' }, texts).sources).toMatchObject([
      { id: 'companies', stream: 'c', drivesWatermark: false, readFirst: true, maxRecordBytes: 2048 },
      { id: 'jobs', stream: 'j', drivesWatermark: true, readFirst: false, maxRecordBytes: 2048 },
    ]);
  });

  test('writes rows where and how it is told', () => {
    const { sinks, deadLetters } = graphOf({
      S3SinkFormat: 'csv',
      'sink.roll.size': '1 MiB',
      'sink.roll.age': '1 min',
    });
    const roll = { rollBytes: 1_048_576, rollAgeMs: 60_000 };
    expect(sinks[0]).toMatchObject({ kind: 'objects', path: 's3://b/rows', extension: 'csv', ...roll });
    expect(deadLetters).toMatchObject({ path: 's3://b/rows/_dead-letters', extension: 'jsonl', ...roll });
    expect(graphOf().sinks[0]).toMatchObject({ extension: 'jsonl' });
    expect(graphOf({ deadLetterPath: 'file:///dead' }).deadLetters.path).toBe('file:///dead');
  });

  test('gives each service its own limits', () => {
    const tenant = {
      'tenant.concurrency': '7',
      'tenant.timeout': '1 s',
      'tenant.retries': '0',
      'tenant.cache.size': '5',
    };
    const score = {
      'score.concurrency': '8',
      'score.cache.ttl': '2 s',
      'rescore.capacity': '9',
      'score.breaker.failures': '3',
    };
    const limits = graphOf({ ...tenant, ...score }).stages.flatMap((stage) =>
      stage.kind === 'http' ? [stage.limits] : [],
    );
    expect(limits).toEqual([
      {
        ...{ concurrency: 7, timeoutMs: 1000, retries: 0, breakerFailures: 20, breakerResetMs: 10_000 },
        ...{ cacheEntries: 5, cacheTtlMs: 300_000, negativeTtlMs: 30_000, askAgainCapacity: 0 },
      },
      {
        ...{ concurrency: 8, timeoutMs: 5000, retries: 5, breakerFailures: 3, breakerResetMs: 10_000 },
        ...{ cacheEntries: 100_000, cacheTtlMs: 2000, negativeTtlMs: 0, askAgainCapacity: 9 },
      },
    ]);
  });
});
