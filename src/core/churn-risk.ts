import { type KeyedStage, NO_TIMER, type StateCodec } from '../runtime/contract.ts';
import { type EnrichedCompany, scoredRow } from './rows.ts';

/** The newest score of a company. */
export interface RiskState {
  version: number;
  churn: boolean;
}

const riskCodec: StateCodec<RiskState> = {
  version: 1,
  encode(state, to) {
    to.varint(state.version);
    to.byte(state.churn ? 1 : 0);
  },
  decode: (from) => ({ version: from.varint(), churn: from.byte() === 1 }),
};

/**
 * Marks the row on which a company's risk flipped (DESIGN section 3). A row without a score never flips, nor does one
 * that is not newer than the newest scored. The first score of a company is where it starts from: no flip.
 */
export function churnRisk(inputs: readonly string[]): KeyedStage<RiskState, EnrichedCompany, EnrichedCompany> {
  return {
    kind: 'keyed',
    id: 'churn-risk',
    inputs,
    state: riskCodec,
    usesTimers: false,
    key: (row) => row.profile.companyID,
    onEvent(state, row, out) {
      if (row.score === null || (state !== undefined && row.version <= state.version)) {
        out.emit(row);
        return state;
      }
      const flipped = state !== undefined && state.churn !== row.score.churn;
      out.emit(flipped ? scoredRow(row, row.score, row.scoreStatus, row.score.churn ? 'at-risk' : 'recovered') : row);
      return { version: row.version, churn: row.score.churn };
    },
    onTimer: (state) => state,
    nextTimer: () => NO_TIMER,
  };
}
