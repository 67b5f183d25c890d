import { describe, expect, test } from 'vitest';
import { companyJobProcessing } from '../../pipeline/company-job-processing.ts';
import { readParameters } from '../../pipeline/parameters.ts';
import type { FoundCheckpoint } from '../../runtime/checkpoint-store.ts';
import { checkRunIdentity, type RunIdentity, runIdentityOf } from './run-identity.ts';

function identity(application: Record<string, string> = {}, consumer: Record<string, string> = {}): RunIdentity {
  const texts = {
    ConsumerConfigProperties: consumer,
    ApplicationConfigProperties: {
      S3SinkPath: 's3://bucket/rows',
      predictChurnApiEndpoint: 'http://score',
      tenantManagerEndpoint: 'http://tenants',
      ...application,
    },
  };
  const parameters = readParameters(texts);
  return runIdentityOf(companyJobProcessing(parameters), parameters);
}

function found(held: number): FoundCheckpoint {
  const states = Array.from({ length: held }, (_, index) => ({ key: `${index}`, state: new Uint8Array(1) }));
  return { body: null, stages: new Map([['tenant-lookup', { codecVersion: 1, states }]]) };
}

const checked =
  (asked: RunIdentity, known: unknown, held = 0) =>
  () =>
    checkRunIdentity(asked, found(held), JSON.parse(JSON.stringify(known)), 'data/state');
const mismatch = (what: string) =>
  expect.objectContaining({ code: 'STATE_MISMATCH', message: expect.stringContaining(what) });

describe('a run goes on from its state', () => {
  test.each<[string, Record<string, string>, Record<string, string>]>([
    ['as it was', {}, {}],
    ['with other limits', { 'score.timeout': '1 s', 'checkpoint.interval': '5 s', 'watermark.idle': '1 s' }, {}],
    ['with services elsewhere', { predictChurnApiEndpoint: 'https://new', tenantManagerEndpoint: 'https://new' }, {}],
    ['without scoring', { scoring: 'off' }, {}],
    ['reading in another way', {}, { 'jobs.stream.consumer': 'EFO', 'aws.endpoint': 'http://127.0.0.1:1' }],
  ])('%s', (_, application, consumer) => {
    expect(checked(identity(application, consumer), identity())).not.toThrow();
  });
});

describe('a run of something else is refused', () => {
  test.each<[string, Record<string, string>, Record<string, string>, string]>([
    ['another stream', {}, { 'jobs.stream.name': 'other' }, 'jobs.stream.name was "bigdatajobs", now "other"'],
    ['another region', {}, { 'aws.region': 'eu-west-1' }, 'aws.region was "us-west-2", now "eu-west-1"'],
    ['another place of rows', { S3SinkPath: 's3://b' }, {}, 'S3SinkPath was "s3://bucket/rows", now "s3://b"'],
    ['another way of counting', { 'activity.counting': 'per-event' }, {}, 'activity.counting was "rolling"'],
    ['another format', { S3SinkFormat: 'csv' }, {}, 'S3SinkFormat was "json", now "csv"'],
  ])('%s', (_, application, consumer, what) => {
    expect(checked(identity(application, consumer), identity())).toThrow(mismatch(what));
  });

  test('each difference is named, with what to do', () => {
    const asked = identity({ S3SinkFormat: 'csv' }, { 'jobs.stream.name': 'other' });
    expect(checked(asked, identity())).toThrow(mismatch('jobs.stream.name'));
    expect(checked(asked, identity())).toThrow(mismatch('S3SinkFormat'));
    expect(checked(asked, identity())).toThrow(mismatch('choose another data.dir'));
  });

  test('a stage in which events are held must not be gone', () => {
    expect(checked(identity({ enrichment: 'join' }), identity(), 0)).not.toThrow();
    expect(checked(identity({ enrichment: 'join' }), identity(), 3)).toThrow(
      mismatch('3 events are held in tenant-lookup'),
    );
  });

  test('state of a replay', () => {
    expect(checked(identity(), { graph: 'CompanyJobProcessing', inputs: {} })).toThrow(mismatch('not that of a run'));
  });
});
