import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parameterNames } from '../../pipeline/parameters.ts';
import { collectParameters, environmentName } from './properties.ts';

let folder = '';
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'properties-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(content: unknown): Promise<string> {
  const path = join(folder, `properties-${files++}.json`);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}
const group = (PropertyGroupId: string, PropertyMap: Record<string, unknown>) => ({ PropertyGroupId, PropertyMap });
const collect = (settings: string[], environment: Record<string, string | undefined> = {}, properties?: string) =>
  collectParameters({ settings, environment, properties });
const refusal = (code: string, message: string | RegExp) =>
  expect.objectContaining({
    code,
    exitCode: 2,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  });

describe('parameters come from', () => {
  test('the file of the managed service', async () => {
    const path = await fileOf([
      group('ConsumerConfigProperties', { 'aws.region': 'eu-west-1' }),
      group('ApplicationConfigProperties', { S3SinkPath: 's3://b/p' }),
      group('ApplicationConfigProperties', { scoring: 'off' }),
    ]);
    expect(await collect([], {}, path)).toEqual({
      ConsumerConfigProperties: { 'aws.region': 'eu-west-1' },
      ApplicationConfigProperties: { S3SinkPath: 's3://b/p', scoring: 'off' },
    });
  });

  test('the environment, a shared name into each of its groups, and what is not ours is passed over', async () => {
    const environment = {
      TENANT_ANALYTICS_S3_SINK_PATH: 'file:///rows',
      TENANT_ANALYTICS_AWS_REGION: 'eu-west-1',
      TENANT_ANALYTICS_WATERMARK_OUT_OF_ORDERNESS: '5 s',
      TENANT_ANALYTICS_SCORING: undefined,
      PATH: '/bin',
      AWS_REGION: 'us-east-1',
    };
    expect(await collect([], environment)).toEqual({
      ConsumerConfigProperties: { 'aws.region': 'eu-west-1' },
      ProducerConfigProperties: { 'aws.region': 'eu-west-1' },
      ApplicationConfigProperties: { S3SinkPath: 'file:///rows', 'watermark.outOfOrderness': '5 s' },
    });
  });

  test('settings, for one group when it is named', async () => {
    const settings = [
      'aws.region=eu-west-1',
      'ProducerConfigProperties.aws.region=eu-west-2',
      'predictChurnApiKey=a=b',
    ];
    expect(await collect(settings)).toEqual({
      ConsumerConfigProperties: { 'aws.region': 'eu-west-1' },
      ProducerConfigProperties: { 'aws.region': 'eu-west-2' },
      ApplicationConfigProperties: { predictChurnApiKey: 'a=b' },
    });
    expect(await collect(['predictChurnApiKey='])).toEqual({ ApplicationConfigProperties: { predictChurnApiKey: '' } });
    expect(await collect(['predictChurnApiKey=two\nlines'])).toMatchObject({
      ApplicationConfigProperties: { predictChurnApiKey: 'two\nlines' },
    });
    expect(await collect([])).toEqual({});
  });

  test('a setting stands over the environment, that over the file, and the last setting over those before', async () => {
    const path = await fileOf([
      group('ApplicationConfigProperties', { scoring: 'file', enrichment: 'file', 'data.dir': 'file' }),
    ]);
    const environment = { TENANT_ANALYTICS_SCORING: 'environment', TENANT_ANALYTICS_ENRICHMENT: 'environment' };
    expect(await collect(['scoring=setting', 'scoring=last'], environment, path)).toEqual({
      ApplicationConfigProperties: { scoring: 'last', enrichment: 'environment', 'data.dir': 'file' },
    });
  });
});

describe('a name that is not known', () => {
  test('among the settings is told with the nearest right one', async () => {
    const unknown = refusal('PARAMETER_UNKNOWN', 'Unknown parameter scorin; did you mean scoring?');
    await expect(collect(['scorin=off'])).rejects.toThrow(unknown);
    await expect(collect(['Other.aws.region=x'])).rejects.toThrow(refusal('PARAMETER_UNKNOWN', /Other\.aws\.region/));
    await expect(collect(['toString=x'])).rejects.toThrow(refusal('PARAMETER_UNKNOWN', /toString/));
  });

  test('in the environment is told as it stands there', async () => {
    await expect(collect([], { TENANT_ANALYTICS_SCORIN: 'off' })).rejects.toThrow(
      refusal(
        'PARAMETER_UNKNOWN',
        'The environment has TENANT_ANALYTICS_SCORIN, which is no parameter; parameters are named like TENANT_ANALYTICS_S3_SINK_PATH.',
      ),
    );
  });

  test('a setting without a value or a name is wrong usage', async () => {
    for (const setting of ['scoring', '=off', '']) {
      const message = `--set: expected name=value, got ${JSON.stringify(setting)}.`;
      await expect(collect([setting])).rejects.toThrow(refusal('USAGE', message));
    }
  });
});

describe('a property file of another shape is refused, with the right shape', () => {
  const shape = 'expected [{"PropertyGroupId": "…", "PropertyMap": {"name": "value"}}], ';
  test.each<[string, unknown]>([
    ['no JSON', 'S3SinkPath=file:///rows'],
    ['nothing', ''],
    ['an object', { S3SinkPath: 'file:///rows' }],
    ['a list of texts', ['S3SinkPath']],
    ['a group without a name', [{ PropertyMap: {} }]],
    ['a group without a map', [{ PropertyGroupId: 'ApplicationConfigProperties' }]],
    ['a value that is a number', [group('ApplicationConfigProperties', { 'tenant.retries': 5 })]],
    ['a value that is an object', [group('ApplicationConfigProperties', { scoring: { on: true } })]],
    ['a field too many', [{ ...group('ApplicationConfigProperties', {}), PropertyMaps: {} }]],
  ])('%s', async (_, content) => {
    const path = await fileOf(content);
    await expect(collect([], {}, path)).rejects.toThrow(
      expect.objectContaining({ code: 'PARAMETER_INVALID', message: expect.stringContaining(`${path}: ${shape}`) }),
    );
  });

  test('also when it is not there', async () => {
    await expect(collect([], {}, join(folder, 'none.json'))).rejects.toThrow(
      refusal('PARAMETER_INVALID', /none\.json: .*ENOENT/),
    );
  });

  test('and no secret of it is shown', async () => {
    const map = '"PropertyMap":{"predictChurnApiKey":"S3CR3T","tenantManagerToken":"S3CR3T"';
    const contents = [
      `[{"PropertyGroupId":"ApplicationConfigProperties",${map}`,
      `[{"PropertyGroupId":5,${map}}}]`,
      `[{"PropertyGroupId":"ApplicationConfigProperties",${map},"tenant.retries":5}}]`,
    ];
    for (const content of contents) {
      const shown = await collect([], {}, await fileOf(content)).catch((error: Error) => error.message);
      expect(shown).toContain(shape);
      expect(shown).not.toContain('S3CR3T');
    }
  });

  // JSON.parse quotes what stands around the place where it stopped.
  test('and no secret of it is shown, also when its quotes were forgotten', async () => {
    const path = await fileOf(
      '[{"PropertyGroupId":"ApplicationConfigProperties","PropertyMap":{"predictChurnApiKey":S3CR3T}}]',
    );
    const shown = await collect([], {}, path).catch((error: Error) => error.message);
    expect(shown).not.toContain('S3CR3T');
  });

  // The group of this name is Object.prototype: each object there is gets the value.
  test('a group named __proto__ changes nothing outside', async () => {
    const path = await fileOf('[{"PropertyGroupId":"__proto__","PropertyMap":{"leaked":"yes"}}]');
    try {
      await collect([], {}, path).catch(() => undefined);
      expect(({} as Record<string, unknown>).leaked).toBeUndefined();
    } finally {
      Reflect.deleteProperty(Object.prototype, 'leaked');
    }
  });
});

test('each parameter has a name of its own in the environment', () => {
  const names = parameterNames().map(environmentName);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^TENANT_ANALYTICS_[A-Z0-9]+(_[A-Z0-9]+)*$/.test(name))).toEqual([]);
  const some = ['S3SinkPath', 'predictChurnApiKey', 's3.pathStyle', 'tenant.cache.negativeTtl', 'AggregationEnabled'];
  expect(some.map(environmentName)).toEqual([
    'TENANT_ANALYTICS_S3_SINK_PATH',
    'TENANT_ANALYTICS_PREDICT_CHURN_API_KEY',
    'TENANT_ANALYTICS_S3_PATH_STYLE',
    'TENANT_ANALYTICS_TENANT_CACHE_NEGATIVE_TTL',
    'TENANT_ANALYTICS_AGGREGATION_ENABLED',
  ]);
});
