import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { codePlaceOf, objectName, packageAt } from './code.ts';
import { causeOf, logLine, readableLine } from './log-lines.ts';
import { type Account, partitionOfRegion } from './names.ts';
import { permissionPolicy, trustPolicy } from './policy.ts';
import { differentProperties, propertyGroups } from './properties.ts';

const OFFLINE = { S3SinkPath: 's3://rows/enriched', enrichment: 'join', scoring: 'off' };
const texts = (more: Record<string, string>) => ({ ApplicationConfigProperties: { ...OFFLINE, ...more } });
const ACCOUNT: Account = { id: '123456789012', partition: 'aws', region: 'us-west-2' };

describe('runtime properties', () => {
  test('have the region of the application unless another is given; what is empty is left out', () => {
    const given = { ...texts({ deadLetterPath: '' }), ConsumerConfigProperties: { 'aws.region': 'eu-west-1' } };
    expect(propertyGroups(given, 'us-east-1')).toEqual([
      { PropertyGroupId: 'ConsumerConfigProperties', PropertyMap: { 'aws.region': 'eu-west-1' } },
      { PropertyGroupId: 'ProducerConfigProperties', PropertyMap: { 'aws.region': 'us-east-1' } },
      { PropertyGroupId: 'ApplicationConfigProperties', PropertyMap: OFFLINE },
    ]);
  });

  test('a value of 2048 characters is taken, a longer one is refused', () => {
    const path = (length: number) => `s3://rows/${'x'.repeat(length - 10)}`;
    expect(() => propertyGroups(texts({ S3SinkPath: path(2048) }), 'us-west-2')).not.toThrow();
    expect(() => propertyGroups(texts({ S3SinkPath: path(2049) }), 'us-west-2')).toThrow(
      'S3SinkPath: expected at most 2048 characters, got 2049.',
    );
  });

  test('differences are told by name, also of what only one of them has', () => {
    const [there, wanted] = [propertyGroups(texts({}), 'a'), propertyGroups(texts({ S3SinkFormat: 'csv' }), 'a')];
    expect(differentProperties(there, wanted)).toEqual([
      'ApplicationConfigProperties.S3SinkFormat: none, and csv was asked for',
    ]);
    expect(differentProperties(wanted, wanted)).toEqual([]);
  });

  test('a secret that another has written into them is never shown', () => {
    const holding = (value: string) => [
      { PropertyGroupId: 'ApplicationConfigProperties', PropertyMap: { predictChurnApiKey: value } },
    ];
    expect(differentProperties(holding('the key'), holding('arn:aws:secretsmanager:x'))).toEqual([
      'ApplicationConfigProperties.predictChurnApiKey: (a secret, not shown), and arn:aws:secretsmanager:x was asked for',
    ]);
    expect(differentProperties(holding('the key'), [])).toEqual([
      'ApplicationConfigProperties.predictChurnApiKey: (a secret, not shown), and none was asked for',
    ]);
  });
});

describe('the policy', () => {
  const of = (more: Record<string, string>, keys: readonly string[] = []) =>
    permissionPolicy({
      account: ACCOUNT,
      application: 'app',
      logStream: 'log',
      secretKeys: keys,
      states: [{ code: { bucket: 'codes', key: 'a.jar' }, properties: propertyGroups(texts(more), 'us-west-2') }],
    }).Statement;

  test('allows enhanced fan-out, secrets and keys only where they are used', () => {
    const key = 'arn:aws:kms:us-west-2:123456789012:key/k';
    expect(of({}, [key]).map(({ Sid }) => Sid)).toEqual([
      ...['ReadCode', 'ReadStreams', 'WriteEnrichedCompanies', 'WriteRows', 'ListRows'],
      ...['FindLogGroup', 'FindLogStream', 'WriteLog', 'WriteMetrics'],
    ]);
    const secret = 'arn:aws:secretsmanager:us-west-2:123456789012:secret:s-AbCdEf';
    const withSecret = of({ tenantManagerToken: `${secret}#token` }, [key]);
    expect(withSecret.filter(({ Sid }) => /Secrets$/.test(Sid)).map(({ Resource }) => Resource)).toEqual([
      [secret],
      [key],
    ]);
    expect(withSecret.find(({ Sid }) => Sid === 'DecryptSecrets')?.Condition).toEqual({
      StringEquals: { 'kms:ViaService': ['secretsmanager.us-west-2.amazonaws.com'] },
    });
  });

  test('dead letters may lie in another bucket', () => {
    const [rows, list] = of({ deadLetterPath: 's3://letters' }).filter(({ Sid }) => /Rows$/.test(Sid));
    expect(rows?.Resource).toEqual(['arn:aws:s3:::letters/*', 'arn:aws:s3:::rows/enriched/*']);
    expect(list?.Resource).toEqual(['arn:aws:s3:::letters', 'arn:aws:s3:::rows']);
  });

  test('names the partition of its region', () => {
    expect(['cn-north-1', 'us-gov-west-1', 'us-west-2'].map(partitionOfRegion)).toEqual([
      'aws-cn',
      'aws-us-gov',
      'aws',
    ]);
    expect(JSON.stringify(trustPolicy({ ...ACCOUNT, partition: 'aws-cn' }, 'app'))).toContain(
      'arn:aws-cn:kinesisanalytics:us-west-2:123456789012:application/app',
    );
  });
});

describe('lines of the log', () => {
  const line = (more: object) =>
    JSON.stringify({ messageType: 'ERROR', logger: 'a.b.C', message: 'it broke', ...more });

  test('show no more of a stack than its head, unless asked to', () => {
    const throwableInformation = ['X: why', ...Array.from({ length: 30 }, (_, index) => `\tat f${index}`)].join('\n');
    const short = readableLine(0, line({ throwableInformation }), false).split('\n');
    expect([short.length, short[0], short.at(-1)]).toEqual([
      22,
      '1970-01-01T00:00:00.000Z ERROR C: it broke',
      '    … 11 more lines (--stack shows them)',
    ]);
    expect(readableLine(0, line({ throwableInformation }), true).split('\n')).toHaveLength(32);
  });

  test('cannot steer a terminal', () => {
    expect(readableLine(0, line({ message: '\u001b[2Jgone' }), false)).toMatch(/C: \?\[2Jgone$/);
    expect(readableLine(0, '\u001b[2J', false)).toMatch(/Z \?\[2J$/);
  });

  test('name their innermost cause, else the exception, else the message', () => {
    const cause = (throwableInformation?: string) => {
      const read = logLine(line(throwableInformation === undefined ? {} : { throwableInformation }));
      return read === undefined ? undefined : causeOf(read);
    };
    expect(cause('A: a\nCaused by: B: b\n\tat x\nCaused by: C: c')).toBe('C: c');
    expect([cause('A: a\n\tat x'), cause()]).toEqual(['A: a', 'it broke']);
    expect([logLine('text'), logLine('[1]'), logLine('{"message":1}')]).toEqual([undefined, undefined, undefined]);
  });
});

describe('the code', () => {
  let folder = '';
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('has its checksum in its name', async () => {
    folder = await mkdtemp(join(tmpdir(), 'managed-'));
    const path = join(folder, 'a.b.zip');
    await writeFile(path, 'abc');
    expect(objectName(await packageAt(path))).toBe('a.b-ba7816bf8f01.zip');
  });

  test('is refused when it is empty, and beyond 512 MiB before a byte of it is read', async () => {
    folder = await mkdtemp(join(tmpdir(), 'managed-'));
    const path = join(folder, 'a.jar');
    const file = await open(path, 'w');
    await expect(packageAt(path)).rejects.toThrow(/at most 512 MiB, got 0 bytes/);
    await file.truncate(512 * 1024 * 1024 + 1);
    await file.close();
    await expect(packageAt(path)).rejects.toThrow(/at most 512 MiB, got 536870913 bytes/);
  });

  test('is named by a bucket and a key', () => {
    expect(codePlaceOf('s3://codes/churn/a.jar', '--code')).toEqual({ bucket: 'codes', key: 'churn/a.jar' });
    for (const uri of ['s3://codes', 's3://codes/', 's3://codes/churn/', 'codes/churn/a.jar', 'https://x/y.jar']) {
      expect(() => codePlaceOf(uri, '--code')).toThrow(/^--code: expected s3:\/\/bucket\/churn\/name\.jar, got /);
    }
  });
});
