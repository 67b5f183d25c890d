import { expect, test } from 'vitest';
import { AlertsSystem, flip, Receiver, START } from '../../../test/support/alerts-life.ts';
import { DAY_MS } from '../../base/time.ts';
import type { Activity } from './alert.ts';

const HOUR_MS = 3_600_000;
const DAY_QUIET = { quietMs: DAY_MS };

function active(companyID: string, lastJobAt: number, version = 3): Activity {
  return { companyID, industry: 'retail', monthlyFee: 461, churnProbability: 0.2, version, lastJobAt };
}

async function begun(options: ConstructorParameters<typeof AlertsSystem>[0] = {}) {
  const system = new AlertsSystem(options);
  const life = system.begin();
  await life.run();
  await system.time.settle();
  const received = () => system.receivers[0]?.received ?? [];
  return { system, life, received, time: system.time };
}

test('a risk flip is told, once, however often its row comes', async () => {
  const { life, received, time } = await begun();
  life.flipped(flip('a', 5), flip('a', 5));
  await time.settle();
  life.flipped(flip('a', 5), flip('b', 2));
  await time.advance(HOUR_MS);
  expect(received()).toEqual(['a:5', 'b:2']);
  expect(life.alerts?.report()).toMatchObject({ sent: 2, refused: 0, merged: 0, waiting: 0, held: 0 });
});

test('nothing older than the first start is told, then or after a restart', async () => {
  const system = new AlertsSystem();
  const old = flip('a', 1, { at: START - 1 });
  const first = system.begin();
  await first.run([old]);
  first.flipped(old, flip('b', 1, { at: START - DAY_MS }));
  await system.time.advance(HOUR_MS);
  await first.stop();
  const second = system.begin();
  await second.run([old, flip('c', 1)]);
  await system.time.advance(HOUR_MS);
  expect(system.receivers[0]?.received).toEqual(['c:1']);
});

test('a flip whose row came while the service was down is told at the next start; those told before are not', async () => {
  const system = new AlertsSystem();
  const first = system.begin();
  await first.run();
  first.flipped(flip('a', 1), flip('b', 1));
  await system.time.advance(1000);
  await first.stop();
  await system.time.advance(20 * DAY_MS);
  const second = system.begin();
  // Files are read first, in no order of versions; then the stream from its oldest record.
  await second.run([flip('c', 3), flip('a', 1), flip('c', 1), flip('c', 2)]);
  second.flipped(flip('a', 1), flip('b', 1), flip('b', 2));
  await system.time.advance(1000);
  expect(system.receivers[0]?.received).toEqual(['a:1', 'b:1', 'c:3', 'b:2']);
});

test('within the quiet period of a tenant nothing more of it is sent; at its end, what is then so', async () => {
  const { life, received, time } = await begun(DAY_QUIET);
  life.flipped(flip('a', 1));
  await time.advance(HOUR_MS);
  for (const version of [2, 3, 4]) {
    life.flipped(flip('a', version));
    await time.advance(HOUR_MS);
  }
  life.flipped(flip('b', 1));
  await time.advance(HOUR_MS);
  expect(received()).toEqual(['a:1', 'b:1']);
  expect(life.alerts?.report()).toMatchObject({ held: 1, merged: 2 });
  await time.advance(20 * HOUR_MS);
  expect(received()).toEqual(['a:1', 'b:1', 'a:4']);
  expect(life.alerts?.report().alerts[0]).toMatchObject({ companyID: 'a', change: 'recovered', merged: 2 });
});

test('a tenant that is back where it was when its quiet period ends is not told again', async () => {
  const { life, received, time } = await begun(DAY_QUIET);
  life.flipped(flip('a', 1));
  await time.advance(HOUR_MS);
  life.flipped(flip('a', 2));
  await time.advance(HOUR_MS);
  expect(life.alerts?.report().held).toBe(1);
  life.flipped(flip('a', 3));
  await time.advance(3 * DAY_MS);
  expect(received()).toEqual(['a:1']);
  expect(life.alerts?.report()).toMatchObject({ held: 0, merged: 2 });
});

test('a quiet period lasts over a restart, and so does what it holds', async () => {
  const system = new AlertsSystem(DAY_QUIET);
  const first = system.begin();
  await first.run();
  first.flipped(flip('a', 1));
  await system.time.advance(HOUR_MS);
  first.flipped(flip('a', 2));
  await system.time.advance(HOUR_MS);
  await first.stop();
  const second = system.begin();
  await second.run();
  await system.time.advance(20 * HOUR_MS);
  expect(system.receivers[0]?.received).toEqual(['a:1']);
  await system.time.advance(3 * HOUR_MS);
  expect(system.receivers[0]?.received).toEqual(['a:1', 'a:2']);
});

test('a tenant that goes silent is told once for each silence, also over a restart', async () => {
  const { system, life, received, time } = await begun();
  const others = (now: number) => active('busy', now);
  const pass = async (days: number, lastJobAt: number) => {
    for (let hour = 0; hour < days * 24; hour++) {
      system.activity = { latestEvent: time.now, tenants: [others(time.now), active('a', lastJobAt)] };
      await time.advance(HOUR_MS);
    }
  };
  await pass(6, START);
  expect(received()).toEqual([]);
  await pass(3, START);
  expect(received()).toEqual(['a:3:silent']);
  const again = time.now;
  await pass(3, again);
  await life.stop();
  const second = system.begin();
  await second.run();
  await pass(10, again);
  expect(received()).toEqual(['a:3:silent', 'a:3:silent']);
  expect(second.alerts?.report().alerts[0]).toMatchObject({
    change: 'silent',
    at: again,
    reasons: [expect.stringContaining('no job event for 7 days')],
  });
});

test('a tenant whose rows are not there any more after a restart still goes silent', async () => {
  const system = new AlertsSystem();
  system.activity = { latestEvent: START, tenants: [active('a', START)] };
  const first = system.begin();
  await first.run();
  await system.time.advance(HOUR_MS);
  await first.stop();
  await system.time.advance(8 * DAY_MS);
  system.activity = { latestEvent: system.time.now, tenants: [active('busy', system.time.now)] };
  const second = system.begin();
  await second.run();
  await system.time.advance(HOUR_MS);
  expect(system.receivers[0]?.received).toEqual(['a:3:silent']);
});

test('tenants are not silent while it is the pipeline that is, nor before the stream was read to its tip', async () => {
  const { system, received, time } = await begun();
  system.activity = { latestEvent: START, tenants: [active('a', START), active('b', START - 6 * DAY_MS)] };
  await time.advance(20 * DAY_MS);
  expect(received()).toEqual([]);
  const behind = new AlertsSystem();
  behind.isAtTip = false;
  const life = behind.begin();
  await life.run();
  behind.activity = { latestEvent: START + 9 * DAY_MS, tenants: [active('a', START)] };
  await behind.time.advance(9 * DAY_MS);
  expect(behind.receivers[0]?.received).toEqual([]);
  behind.isAtTip = true;
  await behind.time.advance(DAY_MS);
  expect(behind.receivers[0]?.received).toEqual(['a:3:silent']);
});

test('silences from before the first start are not told', async () => {
  const { system, received, time } = await begun();
  system.activity = {
    latestEvent: START + 30 * DAY_MS,
    tenants: [active('long ago', START - 40 * DAY_MS), active('a', START)],
  };
  await time.advance(30 * DAY_MS);
  expect(received()).toEqual(['a:3:silent']);
});

test('what a target does not take waits for it, over restarts, and those of one tenant stay in order', async () => {
  const receiver = new Receiver();
  receiver.answer = () => ({ kind: 'failed', problem: 'it answers 503', retryAfterMs: 0 });
  const { system, life, time } = await begun({ receivers: [receiver] });
  life.flipped(flip('a', 1));
  await time.advance(1000);
  life.flipped(flip('a', 2), flip('b', 1));
  await time.advance(HOUR_MS);
  expect(life.alerts?.report()).toMatchObject({ waiting: 3, sent: 0 });
  expect(life.alerts?.report().targets[0]).toMatchObject({ problem: 'it answers 503', waiting: 3 });
  expect(system.warnings.filter((text) => text.includes('cannot be reached'))).toHaveLength(1);
  await life.stop();
  receiver.answer = () => ({ kind: 'sent' });
  const second = system.begin();
  await second.run();
  await time.advance(HOUR_MS);
  expect(receiver.received).toEqual(['a:1', 'a:2', 'b:1']);
});

test('one alert that fails again and again holds up only its own tenant', async () => {
  const receiver = new Receiver();
  receiver.answer = (key) =>
    key === 'a:1' ? { kind: 'failed', problem: 'it answers 500', retryAfterMs: 0 } : { kind: 'sent' };
  const { life, time } = await begun({ receivers: [receiver] });
  life.flipped(flip('a', 1));
  await time.settle();
  life.flipped(flip('a', 2), flip('b', 1), flip('c', 1));
  await time.advance(HOUR_MS);
  expect(receiver.received).toEqual(['b:1', 'c:1']);
  receiver.answer = () => ({ kind: 'sent' });
  await time.advance(HOUR_MS);
  expect(receiver.received).toEqual(['b:1', 'c:1', 'a:1', 'a:2']);
});

test('a target that says when to come back is not asked before', async () => {
  const receiver = new Receiver();
  let asked = 0;
  receiver.answer = () => {
    asked++;
    return { kind: 'failed', problem: 'it answers 429', retryAfterMs: 2 * HOUR_MS };
  };
  const { life, time } = await begun({ receivers: [receiver] });
  life.flipped(flip('a', 1), flip('b', 1));
  await time.advance(HOUR_MS);
  expect(asked).toBe(1);
  receiver.answer = () => ({ kind: 'sent' });
  await time.advance(HOUR_MS - 1000);
  expect(receiver.received).toEqual([]);
  await time.advance(HOUR_MS);
  expect(receiver.received).toEqual(['a:1', 'b:1']);
});

test('what is refused for good is told, kept to be looked at, and not sent again', async () => {
  const receiver = new Receiver();
  let asked = 0;
  receiver.answer = () => {
    asked++;
    return { kind: 'refused', problem: 'it answers 410' };
  };
  const { system, life, time } = await begun({ receivers: [receiver] });
  life.flipped(flip('a', 1), flip('b', 1));
  await time.advance(HOUR_MS);
  await life.stop();
  const second = system.begin();
  await second.run();
  await time.advance(DAY_MS);
  expect(asked).toBe(2);
  expect(second.alerts?.report()).toMatchObject({ refused: 2, waiting: 0, sent: 0 });
  expect(second.alerts?.report().alerts).toMatchObject([
    { companyID: 'b', state: 'refused', problem: 'it answers 410' },
    { companyID: 'a', state: 'refused' },
  ]);
  expect(system.warnings.filter((text) => text.includes('refuses'))).toHaveLength(1);
});

test('what was refused is sent once more where that is asked for, in its order, to a mended address too', async () => {
  const [well, wrong] = [new Receiver('well'), new Receiver('wrong')];
  wrong.answer = (key) => (key === 'b:1' ? { kind: 'sent' } : { kind: 'refused', problem: 'it answers 404' });
  const { system, life, time } = await begun({ receivers: [well, wrong] });
  life.flipped(flip('a', 1), flip('b', 1));
  await time.advance(HOUR_MS);
  life.flipped(flip('a', 2));
  await time.advance(HOUR_MS);
  expect(wrong.received).toEqual(['b:1']);
  expect(life.alerts?.report()).toMatchObject({ sent: 4, refused: 2 });
  await life.stop();

  const still = system.begin(undefined, [well, wrong], true);
  await still.run();
  await time.advance(HOUR_MS);
  expect(still.alerts?.report()).toMatchObject({ sent: 4, refused: 2, waiting: 0 });
  await still.stop();

  // Killed once the first of them was sent: the other is on its way, and needs no asking.
  const mended = new Receiver('mended');
  const killed = system.begin(undefined, [well, mended], true);
  mended.answer = () => {
    if (mended.received.length === 1) killed.crash();
    return { kind: 'sent' };
  };
  await killed.run();
  await time.advance(HOUR_MS);
  await killed.died;
  mended.answer = () => ({ kind: 'sent' });
  const last = system.begin(undefined, [well, mended]);
  await last.run();
  last.flipped(flip('b', 2));
  await time.advance(HOUR_MS);
  expect([...new Set(mended.received)]).toEqual(['a:1', 'a:2', 'b:2']);
  expect(last.alerts?.report()).toMatchObject({ refused: 0, waiting: 0 });
  await last.stop();

  const after = system.begin(undefined, [well, mended], true);
  await after.run();
  await time.advance(HOUR_MS);
  expect(mended.received.filter((key) => key === 'b:2')).toHaveLength(1);
  expect(well.received).toEqual(['a:1', 'b:1', 'a:2', 'b:2']);
  expect(system.warnings.filter((text) => text.endsWith('that were refused are sent once more.'))).toHaveLength(2);
});

test('each target gets each alert; one that fails does not hold up the other', async () => {
  const [well, ill] = [new Receiver('well'), new Receiver('ill')];
  ill.answer = () => ({ kind: 'failed', problem: 'no answer', retryAfterMs: 0 });
  const { system, life, time } = await begun({ receivers: [well, ill] });
  life.flipped(flip('a', 1), flip('b', 1));
  await time.advance(HOUR_MS);
  expect(well.received).toEqual(['a:1', 'b:1']);
  expect(life.alerts?.report().waiting).toBe(2);
  await life.stop();
  // Its address is changed: what waited goes to the new one, and not to the other again.
  const renewed = new Receiver('renewed');
  const second = system.begin(undefined, [well, renewed]);
  await second.run();
  await time.advance(HOUR_MS);
  expect([well.received, renewed.received]).toEqual([
    ['a:1', 'b:1'],
    ['a:1', 'b:1'],
  ]);
  expect(second.alerts?.report()).toMatchObject({ waiting: 0, sent: 4 });
});

test('alerts that waited only for a target that is configured no more wait for nobody', async () => {
  const [well, ill] = [new Receiver('well'), new Receiver('ill')];
  ill.answer = () => ({ kind: 'failed', problem: 'no answer', retryAfterMs: 0 });
  const { system, life, time } = await begun({ receivers: [well, ill] });
  life.flipped(flip('a', 1));
  await time.advance(HOUR_MS);
  await life.stop();
  const second = system.begin(undefined, [well]);
  await second.run();
  await time.advance(HOUR_MS);
  expect(second.alerts?.report()).toMatchObject({ waiting: 0 });
  expect(well.received).toEqual(['a:1']);
});

test('when too many wait, what is new waits with its tenant, the newest in place of older, and none is lost', async () => {
  const receiver = new Receiver();
  receiver.answer = () => ({ kind: 'failed', problem: 'it answers 503', retryAfterMs: 0 });
  const { system, life, time } = await begun({ receivers: [receiver], mostOpen: 100 });
  const many = Array.from({ length: 100 }, (_, index) => flip(`c${index}`, 1));
  life.flipped(...many);
  await time.advance(1000);
  life.flipped(flip('late', 1));
  await time.advance(1000);
  life.flipped(flip('late', 2), flip('other', 1));
  await time.advance(1000);
  expect(life.alerts?.report()).toMatchObject({ waiting: 100, held: 2 });
  expect(system.warnings.some((text) => text.includes('100 wait'))).toBe(true);
  await life.stop();
  receiver.answer = () => ({ kind: 'sent' });
  const second = system.begin();
  await second.run();
  await time.advance(HOUR_MS);
  expect(receiver.received).toHaveLength(102);
  expect(new Set(receiver.received)).toEqual(
    new Set([...many.map(({ companyID }) => `${companyID}:1`), 'late:2', 'other:1']),
  );
});

test('while its state cannot be written nothing is sent, and it is told once', async () => {
  const { system, life, received, time } = await begun();
  life.diskFault = (operation) => {
    if (operation === 'append') throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  };
  life.flipped(flip('a', 1));
  await time.advance(HOUR_MS);
  expect(received()).toEqual([]);
  expect(system.warnings.filter((text) => text.includes('no space left'))).toHaveLength(1);
  life.diskFault = () => undefined;
  await time.advance(HOUR_MS);
  expect(received()).toEqual(['a:1']);
});

test('a damaged state is refused, and says what to do: never are all alerts sent again', async () => {
  const system = new AlertsSystem();
  const first = system.begin();
  await first.run();
  first.flipped(flip('a', 1));
  await system.time.advance(HOUR_MS);
  await first.stop();
  for (const path of system.disk.files().keys()) system.disk.damage(path, (bytes) => bytes.fill(7));
  await expect(system.begin().run([flip('a', 1)])).rejects.toMatchObject({
    code: 'CHECKPOINT_CORRUPT',
    message: expect.stringContaining('remove it: then only what happens from now on is told'),
  });
});

test('when only the newest of its state is damaged it goes on from the one before, says so, and loses no alert', async () => {
  const system = new AlertsSystem();
  const first = system.begin();
  await first.run();
  const flips = [flip('a', 1), flip('b', 1), flip('c', 1)];
  for (const each of flips) {
    first.flipped(each);
    await system.time.advance(HOUR_MS);
  }
  await first.stop();
  const newest =
    [...system.disk.files().keys()]
      .filter((path) => path.includes('/chk-'))
      .sort()
      .at(-1) ?? '';
  system.disk.damage(newest, (bytes) => bytes.slice(0, -3));
  const second = system.begin();
  await second.run(flips);
  await system.time.advance(HOUR_MS);
  // What the damaged one said, that `c` was sent, is not known any more.
  expect(system.receivers[0]?.received).toEqual(['a:1', 'b:1', 'c:1', 'c:1']);
  expect(system.warnings.join()).toContain('cannot be used');
});

test('reasons of any length become an alert that receivers take', async () => {
  const { life, time } = await begun();
  life.flipped(flip('a', 1, { reasons: Array.from({ length: 50 }, () => 'x'.repeat(5000)) }));
  await time.settle();
  const [alert] = life.alerts?.report().alerts ?? [];
  expect(alert?.reasons).toHaveLength(10);
  expect(alert?.reasons[0]).toHaveLength(300);
});
