import type { ComponentChildren } from 'preact';
import type { AsOf } from '../../../src/services/dashboard/insights-schema.ts';
import type { Failure } from '../state/insight.ts';
import { NOTHING } from '../text/format.ts';
import { AsOfLine } from './figure.tsx';

export interface Stat {
  readonly name: string;
  /** Undefined while it is not known. */
  readonly value: string | undefined;
  readonly note?: ComponentChildren;
  /** Worth a look. */
  readonly warns?: boolean;
}

interface StatsProps {
  readonly label: string;
  readonly stats: readonly Stat[];
  readonly insight: { readonly answer: { readonly asOf: AsOf } | undefined; readonly failure: Failure | undefined };
}

/** The few numbers that stand above everything. */
export function Stats({ label, stats, insight }: StatsProps) {
  return (
    <section
      class="stats-block"
      aria-label={label}
      aria-busy={insight.answer === undefined && insight.failure === undefined}
    >
      <dl class="stats">
        {stats.map(({ name, value, note, warns }) => (
          <div key={name} class={warns === true ? 'stat warns' : 'stat'}>
            <dt>{name}</dt>
            <dd>
              <span class="value">{value ?? NOTHING}</span>
              {note !== undefined && <span class="note">{note}</span>}
            </dd>
          </div>
        ))}
      </dl>
      <AsOfLine insight={insight} />
    </section>
  );
}
