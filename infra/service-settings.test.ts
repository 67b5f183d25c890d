import { expect, test } from 'vitest';
import { readSettings } from './settings.ts';

test.each([
  ['256', '512'],
  ['256', '2048'],
  ['512', '1024'],
  ['1024', '8192'],
  ['2048', '16384'],
])('a task of cpu %s may have %s MB', (tenantManagerCpu, tenantManagerMemoryMb) => {
  expect(() => readSettings({ tenantManagerCpu, tenantManagerMemoryMb })).not.toThrow();
});

test.each([
  ['256', '4096', /for a cpu of 256: 512 to 2048, in whole GB, got 4096/],
  ['256', '1536', /got 1536/],
  ['512', '512', /for a cpu of 512: 1024 to 4096/],
  ['1024', '2500', /got 2500/],
])(
  'a task of cpu %s with %s MB is refused here, not at the deployment',
  (tenantManagerCpu, tenantManagerMemoryMb, message) => {
    expect(() => readSettings({ tenantManagerCpu, tenantManagerMemoryMb })).toThrow(message);
  },
);

test.each([
  ['churn:1', false],
  ['123456789012.dkr.ecr.us-west-2.amazonaws.com/churn', false],
  ['docker.io/library/node:24', false],
  ['123456789012.dkr.ecr.us-west-2.amazonaws.com/churn:1.0', true],
  [`123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b@sha256:${'0'.repeat(64)}`, true],
])('an image is named in ECR, with a tag or digest: %s', (modelImage, isTaken) => {
  const read = () => readSettings({ modelImage });
  if (isTaken) expect(read).not.toThrow();
  else expect(read).toThrow(/modelImage: expected an image in ECR with a tag or digest/);
});
