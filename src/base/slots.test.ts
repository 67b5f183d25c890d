import { expect, it } from 'vitest';
import { Slots } from './slots.ts';

it('never more than there are, in the order of coming', async () => {
  const slots = new Slots(2);
  const served: number[] = [];
  let holding = 0;
  let most = 0;
  const work = async (id: number) => {
    await slots.take();
    served.push(id);
    most = Math.max(most, ++holding);
    for (let turns = 0; turns < id % 3; turns++) await Promise.resolve();
    holding--;
    slots.give();
  };
  await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(work));
  expect(served).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(most).toBe(2);
});
