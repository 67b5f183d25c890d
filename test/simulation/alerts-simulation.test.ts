// The promise of alerts: each at least once to each target, also over a crash, and a second time only when the crash came
// between its sending and the mark that it was sent.
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import type { News } from '../../src/services/alerts/alert.ts';
import type { Outcome } from '../../src/services/alerts/target.ts';
import { AlertsSystem, flip, Receiver, START } from '../support/alerts-life.ts';

const FAILED: Outcome = { kind: 'failed', problem: 'it answers 503', retryAfterMs: 0 };

/** What happens in the end, whatever came in between: read all rows anew, and wait until nothing is to be done. */
async function workOff(system: AlertsSystem, flips: readonly News[]): Promise<void> {
  const life = system.begin();
  await life.run(flips);
  await system.time.advance(3_600_000);
  expect(life.alerts?.report()).toMatchObject({ waiting: 0, held: 0 });
  await life.stop();
}

const repeats = ({ received }: Receiver) => received.length - new Set(received).size;

describe('killed at each single point there is', () => {
  // Of after all starts: one that dies before it marked the first start has no other.
  const at = START + 86_400_000;
  const first = [flip('a', 1, { at }), flip('b', 1, { at })];
  const second = [flip('a', 2, { at }), flip('c', 1, { at })];

  async function lived(diesAt?: number) {
    const system = new AlertsSystem();
    const life = system.begin(diesAt);
    await life.run();
    for (const flips of [first, second]) {
      life.flipped(...flips);
      await system.time.advance(60_000);
    }
    return { system, life };
  }

  test('each alert is received, in order, and at most the one on its way twice', async () => {
    const { life, system: whole } = await lived();
    const points = life.points;
    expect(whole.receivers[0]?.received).toEqual(['a:1', 'b:1', 'a:2', 'c:1']);
    expect(points).toBeGreaterThan(50);
    let repeated = 0;
    for (let diesAt = 1; diesAt <= points; diesAt++) {
      const { system, life: cut } = await lived(diesAt);
      expect(cut.isDead).toBe(true);
      // The rows come again; those of `second` may not have come at all when it died before its first mark.
      await workOff(system, []);
      const next = system.begin();
      await next.run();
      for (const flips of [first, second]) {
        next.flipped(...flips);
        await system.time.advance(60_000);
      }
      const [receiver = new Receiver()] = system.receivers;
      const about = `died at point ${diesAt}: ${receiver.received}`;
      expect(new Set(receiver.received), about).toEqual(new Set(['a:1', 'b:1', 'a:2', 'c:1']));
      expect([...new Set(receiver.of('a'))], about).toEqual(['a:1', 'a:2']);
      expect(repeats(receiver), about).toBeLessThanOrEqual(1);
      repeated += repeats(receiver);
    }
    // The window is there: a test that never meets it would show nothing.
    expect(repeated).toBeGreaterThan(0);
  });
});

describe('many lives, with targets that fail', () => {
  test.each(Array.from({ length: 30 }, (_, index) => index + 1))('seed %i', async (seed) => {
    const random = seededRandom(seed);
    const receivers = [new Receiver('well'), new Receiver('ill')];
    const system = new AlertsSystem({ seed, receivers });
    const [, ill] = receivers;
    if (ill !== undefined) ill.answer = () => (random() < 0.4 ? FAILED : { kind: 'sent' });
    const versions = new Map<string, number>();
    const flips: News[] = [];
    let crashes = 0;
    let life = system.begin();
    await life.run();
    for (let step = 0; step < 40; step++) {
      const companyID = 'abcd'.charAt(Math.floor(random() * 4));
      const version = (versions.get(companyID) ?? 0) + 1;
      versions.set(companyID, version);
      flips.push(flip(companyID, version));
      life.flipped(...flips.slice(-1));
      await system.time.advance(random() * 30_000);
      if (!life.isDead && random() < 0.7) continue;
      const isCrash = life.isDead || random() < 0.7;
      if (isCrash && !life.isDead) life.crash();
      else if (!isCrash) await life.stop();
      if (isCrash) crashes++;
      const inFiles = Math.floor(random() * flips.length);
      life = system.begin(random() < 0.5 ? 1 + Math.floor(random() * 60) : undefined);
      // Files are in no order of versions; the stream has more, and some of the files again.
      await life.run(flips.slice(0, inFiles).sort(() => random() - 0.5));
      life.flipped(...flips.slice(Math.floor(inFiles / 2)));
    }
    if (life.isDead) crashes++;
    else await life.stop();
    if (ill !== undefined) ill.answer = () => ({ kind: 'sent' });
    await workOff(system, flips);
    for (const receiver of receivers) {
      const about = `${receiver.id}: ${receiver.received}`;
      for (const [companyID, version] of versions) {
        const told = [...new Set(receiver.of(companyID))].map((key) => Number(key.split(':')[1]));
        // The last thing it knows of a tenant is what is so.
        expect((told.at(-1) ?? 0) % 2, about).toBe(version % 2);
        expect(told, about).toEqual([...told].sort((one, other) => one - other));
      }
      expect(repeats(receiver), about).toBeLessThanOrEqual(crashes);
    }
  });

  test('without a crash no key comes twice, however targets fail and the service is stopped', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed);
      const receiver = new Receiver();
      receiver.answer = () => (random() < 0.5 ? FAILED : { kind: 'sent' });
      const system = new AlertsSystem({ seed, receivers: [receiver] });
      const flips: News[] = [];
      for (let version = 1; version <= 12; version++) {
        const life = system.begin();
        await life.run(flips);
        flips.push(flip('a', version), flip('b', version));
        life.flipped(...flips);
        await system.time.advance(random() * 20_000);
        await life.stop();
      }
      receiver.answer = () => ({ kind: 'sent' });
      await workOff(system, flips);
      expect(repeats(receiver)).toBe(0);
      expect(receiver.of('a').at(-1)).toBe('a:12');
    }
  });
});
