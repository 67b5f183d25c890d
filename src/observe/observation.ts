import type { Log } from './log.ts';
import type { Secrets } from './secrets.ts';
import type { Tracing } from './tracing.ts';

/** How a program is looked at from outside while it runs. */
export interface Observation {
  readonly log: Log;
  readonly secrets: Secrets;
  /** None unless switched on. */
  readonly tracing?: Tracing;
}
