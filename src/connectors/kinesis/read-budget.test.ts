import { describe, expect, it } from 'vitest';
import { ReadBudget } from './read-budget.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('what all shards hold', () => {
  it('is asked for by so many at a time', async () => {
    const budget = new ReadBudget({ readsAtOnce: 2, readAheadBytes: 1000 });
    const answers: (() => void)[] = [];
    const ask = () =>
      budget.use(
        () => new Promise<void>((resolve) => answers.push(resolve)),
        () => 0,
      );
    const asked = [ask(), ask(), ask()];
    await settle();
    expect(answers).toHaveLength(2);
    answers[0]?.();
    await settle();
    expect(answers).toHaveLength(3);
    for (const answer of answers) answer();
    await Promise.all(asked);
  });

  it('is no more than the limit, and one answer for each that was asked by then', async () => {
    const budget = new ReadBudget({ readsAtOnce: 2, readAheadBytes: 1000 });
    let asked = 0;
    const ask = () =>
      budget.use(
        async () => ++asked,
        () => 600,
      );
    await Promise.all([ask(), ask()]);
    expect(budget.bytes).toBe(1200);
    const third = ask();
    await settle();
    expect(asked).toBe(2);
    budget.free(600);
    await third;
    expect([asked, budget.bytes]).toEqual([3, 1200]);
  });

  it('gives the turn on when one that asked fails', async () => {
    const budget = new ReadBudget({ readsAtOnce: 1, readAheadBytes: 1000 });
    const failed = budget
      .use(
        () => Promise.reject(new Error('no answer')),
        () => 1,
      )
      .catch(() => 'failed');
    expect(
      await budget.use(
        async () => 'answer',
        () => 1,
      ),
    ).toBe('answer');
    expect([await failed, budget.bytes]).toEqual(['failed', 1]);
  });
});
