import { expect, test } from 'vitest';
import { heldSecret } from './held-secret.ts';

test('many who ask at once, and soon after, ask the store once; later the value is read anew', async () => {
  let [at, asked] = [0, 0];
  const secret = heldSecret(
    async () => `value ${++asked}`,
    () => at,
  );
  expect(await Promise.all([secret(), secret()])).toEqual(['value 1', 'value 1']);
  at = 4999;
  expect(await secret()).toBe('value 1');
  at = 5000;
  expect(await secret()).toBe('value 2');
});

test('one that cannot be read is told as it is, and asked for again by the next', async () => {
  const answers = [new Error('throttled'), 'value'];
  const secret = heldSecret(
    async () => {
      const answer = answers.shift();
      if (typeof answer === 'string') return answer;
      throw answer;
    },
    () => 0,
  );
  await expect(secret()).rejects.toThrow('throttled');
  expect(await secret()).toBe('value');
});
