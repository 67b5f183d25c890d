import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { NO_TIMER } from '../runtime/contract.ts';
import { churnRisk, type RiskState } from './churn-risk.ts';
import { decayRow, type EnrichedCompany, scoredRow } from './rows.ts';

const profile = {
  companyID: 'a',
  industry: 'IT',
  revenu: 1,
  employees: 2,
  job30: 3,
  job90: 4,
  monthlyFee: 5,
  totalFee: 6,
};
const stage = churnRisk(['churn-scoring']);

/** Row `version` of the company: at risk, safe, or without a score. */
function row(version: number, churn: boolean | null): EnrichedCompany {
  const plain = decayRow(profile, 1, 2, version, 20_000, '2024-10-04', 'unavailable');
  const score = churn === null ? null : { churn, probability: null, reasons: null, modelVersion: null };
  return scoredRow(plain, score, score === null ? 'unavailable' : 'scored', null);
}

/** What the rows say of a flip, one after the other, and the state at the end. */
function played(...rows: EnrichedCompany[]): { flips: (string | null)[]; state: RiskState | undefined } {
  const flips: (string | null)[] = [];
  let state: RiskState | undefined;
  for (const input of rows) {
    const out: EnrichedCompany[] = [];
    state = stage.onEvent(state, input, {
      emit: (output) => out.push(output),
      reject: () => expect.fail('nothing is rejected here'),
      count: () => expect.fail('nothing is counted here'),
    });
    expect(out).toEqual([{ ...input, riskChanged: out[0]?.riskChanged }]); // One row in, that row out.
    flips.push(out[0]?.riskChanged ?? null);
  }
  return { flips, state };
}

describe('a row is marked when the risk of its company flipped', () => {
  test('to and fro, and not while it stays', () => {
    expect(played(row(1, false), row(2, true), row(3, true), row(4, false), row(5, false), row(6, true))).toEqual({
      flips: [null, 'at-risk', null, 'recovered', null, 'at-risk'],
      state: { version: 6, churn: true },
    });
  });

  test('but not on its first score, whatever it is', () => {
    for (const churn of [true, false]) {
      expect(played(row(3, churn))).toEqual({ flips: [null], state: { version: 3, churn } });
    }
  });

  test('but not by a row without a score, which changes nothing', () => {
    expect(played(row(1, null))).toEqual({ flips: [null], state: undefined });
    expect(played(row(1, true), row(2, null), row(3, null), row(4, false))).toEqual({
      flips: [null, null, null, 'recovered'],
      state: { version: 4, churn: false },
    });
  });

  test('but not by a row that is not newer than the newest scored one', () => {
    expect(played(row(5, true), row(4, false), row(5, false), row(1, false))).toEqual({
      flips: [null, null, null, null],
      state: { version: 5, churn: true },
    });
  });

  test('also by a row that was scored late, once its score comes', () => {
    const flips = [null, null, 'at-risk'];
    expect(played(row(1, false), row(2, null), row(2, true))).toEqual({ flips, state: { version: 2, churn: true } });
  });

  test('in the state of its own company, without any timer', () => {
    expect(stage.key(row(1, true))).toBe('a');
    expect(stage.nextTimer({ version: 1, churn: true })).toBe(NO_TIMER);
  });
});

test('the newest score comes back from a checkpoint as it was', () => {
  for (const version of [1, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    for (const churn of [true, false]) {
      const to = new ByteWriter(1);
      stage.state.encode({ version, churn }, to);
      const from = new ByteReader(to.take());
      expect(stage.state.decode(from, stage.state.version)).toEqual({ version, churn });
      expect(from.remaining).toBe(0);
    }
  }
});
