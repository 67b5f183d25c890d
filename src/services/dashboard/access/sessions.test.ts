import { expect, test } from 'vitest';
import { NOW } from '../../../../test/support/dashboard-rows.ts';
import { Sessions } from './sessions.ts';

const SECRET = 's'.repeat(32);
const UNTIL = NOW + 60_000;

test('a cookie is read for what it was made for, by who has the secret and the same rules, and until its end', async () => {
  let clock = NOW;
  const sessions = new Sessions(SECRET, 'rules', () => clock);
  const sealed = await sessions.seal('session', { name: 'Ana' }, UNTIL);
  expect(sealed).not.toContain('Ana');
  expect(await sessions.open('session', sealed)).toMatchObject({ until: UNTIL, content: { name: 'Ana' } });
  expect(await sessions.open('sign-in', sealed)).toBeUndefined();
  expect(await new Sessions(SECRET, 'rules', () => NOW).open('session', sealed)).toBeDefined();
  expect(await new Sessions(SECRET, 'other rules', () => NOW).open('session', sealed)).toBeUndefined();
  expect(await new Sessions('t'.repeat(32), 'rules', () => NOW).open('session', sealed)).toBeUndefined();
  clock = UNTIL;
  expect(await sessions.open('session', sealed)).toBeUndefined();
});

test('the largest that can be in a cookie fits into what browsers take', async () => {
  const sessions = new Sessions(SECRET, '', () => NOW);
  const largest = { way: 'provider', name: '\u{1f600}'.repeat(50), sees: { companyID: '\u4e2d'.repeat(256) } };
  const sealed = await sessions.seal('session', largest, UNTIL);
  expect(await sessions.open('session', sealed)).toMatchObject({ content: largest });
  expect(sealed.length).toBeLessThan(4000);
});

test('what goes on for a session ends with it, but for what was taken back', async () => {
  const sessions = new Sessions(SECRET, '', () => NOW);
  const ended: string[] = [];
  const [one, two] = ['one', 'two'].map((name) => sessions.onEnd('id', () => void ended.push(name)));
  sessions.onEnd('other', () => void ended.push('other'));
  one?.();
  sessions.end({ id: 'id', until: UNTIL });
  two?.();
  expect(ended).toEqual(['two']);
});

test('of the sessions that were ended by hand so many are remembered that memory is bounded', async () => {
  const sessions = new Sessions(SECRET, '', () => NOW);
  const sealed = await sessions.seal('session', {}, UNTIL);
  const opened = await sessions.open('session', sealed);
  if (opened === undefined) throw new Error('expected a session');
  sessions.end(opened);
  for (let other = 1; other < 100_000; other++) sessions.end({ id: String(other), until: UNTIL });
  expect(await sessions.open('session', sealed)).toBeUndefined();
  sessions.end({ id: 'one more', until: UNTIL });
  expect(await sessions.open('session', sealed)).toBeDefined();
});
