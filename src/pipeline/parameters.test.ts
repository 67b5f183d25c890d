import { describe, expect, test } from 'vitest';
import { TenantAnalyticsError } from '../base/errors.ts';
import {
  describeParameters,
  GROUP_NAMES,
  type GroupName,
  groupsOf,
  type Parameters,
  type ParameterTexts,
  parameterNames,
  readParameters,
  SECRET_PARAMETERS,
} from './parameters.ts';

/** The least a replay needs. */
const least = { S3SinkPath: 'file:///tmp/rows', enrichment: 'join', scoring: 'off' };
const read = (application: Record<string, string> = {}, other: ParameterTexts = {}): Parameters =>
  readParameters({ ...other, ApplicationConfigProperties: { ...least, ...application } });

function refused(texts: ParameterTexts): { code: string; message: string; exitCode: number } {
  try {
    readParameters(texts);
  } catch (error) {
    if (error instanceof TenantAnalyticsError)
      return { code: error.code, message: error.message, exitCode: error.exitCode };
    throw error;
  }
  return expect.fail('the parameters were taken');
}
const refusedValue = (name: string, value: string): string => {
  const [group = 'ApplicationConfigProperties'] = groupsOf(name);
  const { code, message } = refused({ ApplicationConfigProperties: least, [group]: { ...least, [name]: value } });
  expect(code).toBe('PARAMETER_INVALID');
  return message;
};

describe('what is not given has its default', () => {
  test('as users know it', () => {
    expect(read()).toEqual({
      consumer: {
        'aws.region': 'us-west-2',
        'jobs.stream.name': 'bigdatajobs',
        'companies.stream.name': 'companies',
        'jobs.stream.initial.position': 'LATEST',
        'companies.stream.initial.position': 'LATEST',
        'jobs.stream.initial.timestamp': '',
        'companies.stream.initial.timestamp': '',
        'jobs.stream.consumer': 'POLLING',
        'companies.stream.consumer': 'POLLING',
        'aws.endpoint': '',
      },
      producer: {
        'aws.region': 'us-west-2',
        'enrichedcompanies.stream.name': 'enrichedcompanies',
        AggregationEnabled: false,
        'flink.stream.initpos': '',
      },
      application: {
        ...{ S3SinkPath: 'file:///tmp/rows', S3SinkFormat: 'json', deadLetterPath: '' },
        ...{ 'sink.roll.size': 64 * 1024 * 1024, 'sink.roll.age': 300_000, 's3.endpoint': '', 's3.pathStyle': false },
        ...{ scoring: 'off', predictChurnApiEndpoint: '', predictChurnApiKey: '' },
        ...{ enrichment: 'join', tenantManagerEndpoint: '', tenantManagerToken: '' },
        ...{ 'activity.counting': 'rolling', 'activity.decay': 'on' },
        ...{ 'tenant.cache.ttl': 300_000, 'tenant.cache.negativeTtl': 30_000, 'tenant.cache.size': 100_000 },
        ...{ 'score.cache.ttl': 3_600_000, 'score.cache.size': 100_000 },
        ...{ 'tenant.timeout': 5000, 'tenant.retries': 5, 'tenant.concurrency': 100 },
        ...{ 'tenant.breaker.failures': 20, 'tenant.breaker.reset': 10_000 },
        ...{ 'score.timeout': 5000, 'score.retries': 5, 'score.concurrency': 100 },
        ...{ 'score.breaker.failures': 20, 'score.breaker.reset': 10_000, 'rescore.capacity': 10_000 },
        ...{ 'watermark.outOfOrderness': 60_000, 'watermark.idle': 30_000, 'event.maxFuture': 3_600_000 },
        ...{ 'record.maxBytes': 1024 * 1024, 'data.dir': './data', 'checkpoint.interval': 1000, engine: 'auto' },
      },
    });
  });

  test('and scoring and lookups are on', () => {
    const endpoints = { predictChurnApiEndpoint: 'http://s', tenantManagerEndpoint: 'http://t' };
    const { application } = readParameters({ ApplicationConfigProperties: { S3SinkPath: 's3://b/p', ...endpoints } });
    expect(application).toMatchObject({ scoring: 'on', enrichment: 'lookup' });
  });

  test('every parameter says what it is and by default', () => {
    const described = describeParameters();
    expect(new Set(described.map(({ name }) => name))).toEqual(new Set(parameterNames()));
    expect(described.filter(({ about }) => about === '')).toEqual([]);
    expect(described.find(({ name }) => name === 'sink.roll.age')).toMatchObject({ byDefault: '300000' });
  });
});

describe('a name that is not known', () => {
  const unknown = (name: string, group: GroupName = 'ApplicationConfigProperties') =>
    refused({ ApplicationConfigProperties: least, [group]: { ...least, [name]: 'x' } });

  test.each([
    ['S3SinkPaht', 'S3SinkPath'],
    ['s3sinkpath', 'S3SinkPath'],
    ['activity.counts', 'activity.counting'],
    ['watermark.outOfOrder', 'watermark.outOfOrderness'],
    ['tenant.cache.TTL', 'tenant.cache.ttl'],
    ['predictChurnApiKeys', 'predictChurnApiKey'],
  ])('%s is told with the nearest right one, %s', (name, nearest) => {
    const message = `Unknown parameter ${name}; did you mean ${nearest}?`;
    expect(unknown(name)).toEqual({ code: 'PARAMETER_UNKNOWN', message, exitCode: 2 });
  });

  test('is told with all there are when none is near', () => {
    const { code, message } = unknown('xyzzy');
    expect(code).toBe('PARAMETER_UNKNOWN');
    expect(message).toMatch(/^Unknown parameter xyzzy; known are .*S3SinkPath.*checkpoint\.interval, engine\.$/);
  });

  test.each(['constructor', 'toString', '__proto__x', ''])('%j is not taken for one', (name) => {
    expect(unknown(name).code).toBe('PARAMETER_UNKNOWN');
  });

  test('but belongs to another group is told with that group', () => {
    const wrong = refused({
      ApplicationConfigProperties: least,
      ProducerConfigProperties: { S3SinkPath: 'file:///x' },
    });
    const message = 'S3SinkPath is not a parameter of ProducerConfigProperties, but of ApplicationConfigProperties.';
    expect(wrong).toEqual({ code: 'PARAMETER_UNKNOWN', message, exitCode: 2 });
    expect(unknown('aws.region').message).toBe(
      'aws.region is not a parameter of ApplicationConfigProperties, but of ConsumerConfigProperties.',
    );
  });

  test('of a group is told with the nearest one', () => {
    const texts = { ApplicationConfigProperty: least } as ParameterTexts;
    const message = 'Unknown property group ApplicationConfigProperty; did you mean ApplicationConfigProperties?';
    expect(refused(texts)).toMatchObject({ code: 'PARAMETER_UNKNOWN', message });
    expect(refused({ toString: {} } as unknown as ParameterTexts)).toMatchObject({ code: 'PARAMETER_UNKNOWN' });
  });
});

describe('a bad value', () => {
  test.each([
    ['scoring', 'yes', 'scoring: expected on or off, got "yes" (ApplicationConfigProperties).'],
    ['enrichment', 'LOOKUP', 'enrichment: expected lookup or join, got "LOOKUP" (ApplicationConfigProperties).'],
    [
      'activity.counting',
      '',
      'activity.counting: expected rolling or per-event, got "" (ApplicationConfigProperties).',
    ],
    ['S3SinkFormat', 'parquet', 'S3SinkFormat: expected json or csv, got "parquet" (ApplicationConfigProperties).'],
    [
      'S3SinkPath',
      '/tmp/rows',
      'S3SinkPath: expected s3://bucket/prefix or file:///folder, got "/tmp/rows" (ApplicationConfigProperties).',
    ],
    ['s3.pathStyle', '1', 's3.pathStyle: expected true or false, got "1" (ApplicationConfigProperties).'],
    ['tenant.retries', '-1', 'tenant.retries: expected a whole number, got "-1" (ApplicationConfigProperties).'],
    [
      'tenant.concurrency',
      '0',
      'tenant.concurrency: expected a whole number above 0, got "0" (ApplicationConfigProperties).',
    ],
    ['record.maxBytes', '0', 'record.maxBytes: expected more than 0 bytes, got "0" (ApplicationConfigProperties).'],
    [
      's3.endpoint',
      'localhost:4566',
      's3.endpoint: expected a URL that starts with http:// or https://, got "localhost:4566" (ApplicationConfigProperties).',
    ],
    ['data.dir', '', 'data.dir: expected a text, got "" (ApplicationConfigProperties).'],
    [
      'jobs.stream.initial.position',
      'latest',
      'jobs.stream.initial.position: expected LATEST or TRIM_HORIZON or AT_TIMESTAMP, got "latest" (ConsumerConfigProperties).',
    ],
    [
      'AggregationEnabled',
      'true',
      'AggregationEnabled: expected false: consumers of one company expect single records, got "true" (ProducerConfigProperties).',
    ],
  ])('%s=%s is told with what was expected', (name, value, message) => {
    const [group = 'ApplicationConfigProperties'] = groupsOf(name);
    const values = group === 'ApplicationConfigProperties' ? { ...least, [name]: value } : { [name]: value };
    expect(refused({ ApplicationConfigProperties: least, [group]: values })).toEqual({
      code: 'PARAMETER_INVALID',
      message,
      exitCode: 2,
    });
  });

  test('all of a group are told at once', () => {
    const values = { ...least, scoring: 'maybe', 'tenant.retries': 'many' };
    expect(refused({ ApplicationConfigProperties: values }).message).toBe(
      'scoring: expected on or off, got "maybe"; tenant.retries: expected a whole number, got "many" (ApplicationConfigProperties).',
    );
  });

  test('AggregationEnabled=false and flink.stream.initpos are taken, as older properties have them', () => {
    const { producer } = read(
      {},
      { ProducerConfigProperties: { AggregationEnabled: 'false', 'flink.stream.initpos': 'LATEST' } },
    );
    expect(producer).toMatchObject({ AggregationEnabled: false, 'flink.stream.initpos': 'LATEST' });
  });
});

describe('durations and sizes', () => {
  test.each([
    ['1500', 1500],
    ['0', 0],
    ['500 ms', 500],
    ['500ms', 500],
    ['30 s', 30_000],
    ['1.5 s', 1500],
    [' 5 min ', 300_000],
    ['1h', 3_600_000],
    ['2 d', 172_800_000],
  ])('a duration of %s is %i ms', (text, ms) => {
    expect(read({ 'watermark.outOfOrderness': text }).application['watermark.outOfOrderness']).toBe(ms);
  });

  test.each(['', 's', '-5 s', '5 m', '5 S', '5 minutes', '1e3', '5 constructor', '5 5', '1,5 s', '99999999999999999'])(
    'a duration of %j is refused',
    (text) => {
      const expected = 'expected a duration such as 500 ms, 30 s, 5 min, 1 h or 2 d';
      expect(refusedValue('watermark.outOfOrderness', text)).toContain(
        `watermark.outOfOrderness: ${expected}, got "${text}"`,
      );
    },
  );

  test.each([
    ['65536', 65_536],
    ['10 B', 10],
    ['512 KiB', 524_288],
    ['1.5MiB', 1_572_864],
    ['1 GiB', 1_073_741_824],
  ])('a size of %s is %i bytes', (text, bytes) => {
    expect(read({ 'record.maxBytes': text }).application['record.maxBytes']).toBe(bytes);
  });

  test.each(['', '64 MB', '64 kib', '-1', '64 MiB more'])('a size of %j is refused', (text) => {
    expect(refusedValue('record.maxBytes', text)).toContain('expected a size such as 65536, 512 KiB or 64 MiB');
  });
});

describe('what must be given together', () => {
  test.each([
    [
      { enrichment: 'join', scoring: 'off' },
      /^S3SinkPath is required: where rows go\. Set it, for example --set S3SinkPath=/,
    ],
    [{ ...least, S3SinkPath: '' }, /^S3SinkPath is required/],
    [{ ...least, scoring: 'on' }, /^predictChurnApiEndpoint is required with scoring=on\. .*--set scoring=off/],
    [
      { ...least, enrichment: 'lookup' },
      /^tenantManagerEndpoint is required with enrichment=lookup\. .*--set enrichment=join/,
    ],
  ])('%j is told with what is missing and what to do', (values, message) => {
    const missing = refused({ ApplicationConfigProperties: values });
    expect(missing).toMatchObject({ code: 'PARAMETER_MISSING', exitCode: 2, message: expect.stringMatching(message) });
  });
});

test('sink paths lose the slashes at their end', () => {
  expect(read({ S3SinkPath: 's3://bucket/rows//', deadLetterPath: 's3://bucket/' }).application).toMatchObject({
    S3SinkPath: 's3://bucket/rows',
    deadLetterPath: 's3://bucket',
  });
});

test('secrets stand in no message, whatever is wrong beside them', () => {
  expect([...SECRET_PARAMETERS].every((name) => parameterNames().includes(name))).toBe(true);
  const secrets = { predictChurnApiKey: 'S3CR3T', tenantManagerToken: 'S3CR3T' };
  const wrong: ParameterTexts[] = [
    { ApplicationConfigProperties: { ...least, ...secrets, scoring: 'maybe' } },
    { ApplicationConfigProperties: { ...least, ...secrets, scorning: 'on' } },
    { ApplicationConfigProperties: { ...secrets } },
    { ApplicationConfigProperties: least, ConsumerConfigProperties: secrets },
  ];
  for (const texts of wrong) expect(refused(texts).message).not.toContain('S3CR3T');
});

test('a parameter is found in its groups', () => {
  expect(groupsOf('aws.region')).toEqual(['ConsumerConfigProperties', 'ProducerConfigProperties']);
  expect(groupsOf('S3SinkPath')).toEqual(['ApplicationConfigProperties']);
  expect(groupsOf('hasOwnProperty')).toEqual([]);
  expect(GROUP_NAMES).toEqual(['ConsumerConfigProperties', 'ProducerConfigProperties', 'ApplicationConfigProperties']);
});
