import { describe, expect, it } from 'vitest';
import { Breaker } from './breaker.ts';

/** What happens to a breaker: so much time passes, a call is asked for, or one ends. */
type Step = number | 'call' | 'ok' | 'fail';

const FAILURES = 3;
const RESET_MS = 100;

/** Runs the steps; tells the answer of the last call asked for, the state, and how long to wait. */
function run(steps: readonly Step[]): { allowed: boolean | undefined; state: string; waitMs: number } {
  let now = 1000;
  let allowed: boolean | undefined;
  const breaker = new Breaker({ now: () => now }, FAILURES, RESET_MS);
  for (const step of steps) {
    if (typeof step === 'number') now += step;
    else if (step === 'call') allowed = breaker.tryCall();
    else if (step === 'ok') breaker.succeeded();
    else breaker.failed();
  }
  return { allowed, state: breaker.state, waitMs: breaker.waitMs };
}

const open: readonly Step[] = ['fail', 'fail', 'fail'];
const halfOpen: readonly Step[] = [...open, RESET_MS];
const probing: readonly Step[] = [...halfOpen, 'call'];

const HOUR_MS = 3_600_000;

const TABLE: readonly [string, readonly Step[], ReturnType<typeof run>][] = [
  ['new: calls pass', ['call'], { allowed: true, state: 'closed', waitMs: 0 }],
  ['one failure short: calls pass', ['fail', 'fail', 'call'], { allowed: true, state: 'closed', waitMs: 0 }],
  [
    'a success between failures: they are not in a row',
    ['fail', 'fail', 'ok', 'fail', 'fail', 'call'],
    { allowed: true, state: 'closed', waitMs: 0 },
  ],
  ['so many failures in a row: open', [...open, 'call'], { allowed: false, state: 'open', waitMs: RESET_MS }],
  ['just before the reset: still open', [...open, 99, 'call'], { allowed: false, state: 'open', waitMs: 1 }],
  [
    'the clock is set back: open for the reset time, no longer',
    [...open, -HOUR_MS, 'call'],
    { allowed: false, state: 'open', waitMs: RESET_MS },
  ],
  [
    'and half-open after it',
    [...open, -HOUR_MS, 'call', RESET_MS, 'call'],
    { allowed: true, state: 'half-open', waitMs: RESET_MS },
  ],
  [
    'a late failure keeps it open for longer',
    [...open, 60, 'fail'],
    { allowed: undefined, state: 'open', waitMs: 100 },
  ],
  [
    'a late success closes it: the service is back',
    [...open, 60, 'ok', 'call'],
    { allowed: true, state: 'closed', waitMs: 0 },
  ],
  ['at the reset: half open', halfOpen, { allowed: undefined, state: 'half-open', waitMs: 0 }],
  ['half open: one call probes', probing, { allowed: true, state: 'half-open', waitMs: RESET_MS }],
  ['while one probes no other may', [...probing, 50, 'call'], { allowed: false, state: 'half-open', waitMs: RESET_MS }],
  ['the probe succeeds: closed', [...probing, 'ok', 'call'], { allowed: true, state: 'closed', waitMs: 0 }],
  [
    'closed by a probe: it takes all the failures again to open',
    [...probing, 'ok', 'fail', 'fail', 'call'],
    { allowed: true, state: 'closed', waitMs: 0 },
  ],
  [
    'the probe fails: open for the whole time',
    [...probing, 5, 'fail', 'call'],
    { allowed: false, state: 'open', waitMs: 100 },
  ],
  [
    'after a failed probe another may probe at the next reset',
    [...probing, 'fail', RESET_MS, 'call'],
    { allowed: true, state: 'half-open', waitMs: RESET_MS },
  ],
  [
    'failures long past count as in a row',
    ['fail', 'fail', 1e9, 'fail'],
    { allowed: undefined, state: 'open', waitMs: 100 },
  ],
];

describe('the circuit breaker', () => {
  it.each(TABLE)('%s', (_name, steps, expected) => {
    expect(run(steps)).toEqual(expected);
  });

  it('a call asked for and refused changes nothing', () => {
    const refused = Array.from({ length: 50 }, () => 'call' as const);
    expect(run([...open, ...refused, RESET_MS, 'call'])).toEqual(run(probing));
  });
});
