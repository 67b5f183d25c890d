import { expect, test } from 'vitest';
import { readParameters } from '../../../pipeline/parameters.ts';
import { programArguments } from './program-arguments.ts';

const texts = {
  ConsumerConfigProperties: { 'aws.region': 'eu-west-1' },
  ApplicationConfigProperties: {
    S3SinkPath: 'file:///rows',
    scoring: 'off',
    enrichment: 'join',
    predictChurnApiKey: 'arn:aws:secretsmanager:x',
    'checkpoint.interval': '2 s',
  },
};

test('the job gets the parameters as they were given; it reads a secret that is named by its ARN itself', () => {
  const parameters = readParameters(texts);
  const files = { companies: '/c', jobs: '/j' };
  const words = programArguments({ mode: 'replay', texts, parameters, parallelism: 3, files });
  const properties = JSON.parse(words[3] ?? '');
  expect(properties).toEqual([
    { PropertyGroupId: 'ConsumerConfigProperties', PropertyMap: texts.ConsumerConfigProperties },
    { PropertyGroupId: 'ApplicationConfigProperties', PropertyMap: texts.ApplicationConfigProperties },
  ]);
  words[3] = '…';
  expect(words.join(' ')).toBe(
    '--mode replay --properties … --parallelism 3 --checkpoint-interval-ms 2000 --companies /c --jobs /j',
  );
});
