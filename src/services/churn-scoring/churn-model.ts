import artifact from '../../../model/model.json' with { type: 'json' };
import { readScorecard } from './scorecard.ts';

/** The model that is committed: bundled with whatever uses it, so that handler and model server cannot read two lists. */
export const churnModel = readScorecard(artifact, 'model/model.json');
