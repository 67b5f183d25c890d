import { expect, test } from 'vitest';
import { ShardLife, STREAM } from '../../../test/support/shard-life.ts';
import type { World } from '../../runtime/ports.ts';
import { followStream } from './stream-feed.ts';

test('a record that cannot be taken is told once, and ends the following of no other', async () => {
  const { kinesis, time, world, warnings, closing } = new ShardLife();
  const taken: string[] = [];
  const take = (data: Uint8Array) => {
    const text = Buffer.from(data).toString();
    if (text.startsWith('odd')) throw new TypeError('it has no companyID');
    taken.push(text);
  };
  const options = { initial: { type: 'TRIM_HORIZON' } } as const;
  const following = followStream(kinesis, STREAM, world as unknown as World, take, closing.signal, options);
  await time.advance(1000);
  for (const text of ['1', 'odd 2', '3', 'odd 4', '5']) {
    kinesis.put(STREAM, 'key', text);
    await time.advance(1000);
  }
  expect(taken).toEqual(['1', '3', '5']);
  expect(warnings).toEqual(['A record of jobs could not be taken: it has no companyID']);
  closing.abort();
  await time.advance(60_000);
  await following;
});
