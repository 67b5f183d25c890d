import { expect, test } from 'vitest';
import { customAttributes, fromCustomAttributes } from './custom-attributes.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const came = (attributes: string) => fromCustomAttributes({ 'x-amzn-sagemaker-custom-attributes': attributes });

test.each([
  { correlationID: 'shardId-0:17' },
  { correlationID: 'a;b=c,x-correlation-id=d', traceparent: TRACEPARENT },
  { traceparent: TRACEPARENT },
])('what a call carries comes out at the model as it went in: %j', (about) => {
  const { correlationID, traceparent } = about as { correlationID?: string; traceparent?: string };
  const attributes = customAttributes(about);
  expect(attributes.length).toBeLessThanOrEqual(1024);
  expect(came(attributes)).toMatchObject({
    ...(correlationID === undefined ? {} : { 'x-correlation-id': correlationID }),
    ...(traceparent === undefined ? {} : { traceparent }),
  });
});

test("the longest that a call can carry is within SageMaker's limit", () => {
  expect(customAttributes({ correlationID: 'x'.repeat(256), traceparent: TRACEPARENT }).length).toBeLessThan(1024);
});

test('nothing to carry is nothing; attributes of others leave the headers as they are', () => {
  expect(customAttributes({})).toBe('');
  const headers = { 'x-amzn-sagemaker-custom-attributes': 'c000b4f9', traceparent: 'of the header' };
  expect(fromCustomAttributes(headers)).toEqual(headers);
  expect(fromCustomAttributes({ traceparent: 'of the header' })).toEqual({ traceparent: 'of the header' });
});
