import type { ByteWriter } from '../../base/bytes.ts';
import type { Counters } from '../../runtime/operators.ts';

/** The metrics of the Node host that counters of a graph become: name and label. */
const BY_PREFIX: Readonly<Record<string, readonly [name: string, label: string]>> = {
  records: ['tenant_analytics_records_total', 'source'],
  rows: ['tenant_analytics_rows_total', 'sink'],
  'dead-letters': ['tenant_analytics_dead_letters_total', 'reason'],
  'calls-failed': ['tenant_analytics_calls_given_up_total', 'service'],
};

/** A counter (`records.jobs`, `rows.<sink>`, `dead-letters.<reason>`, …) as a metric. */
export function counterMetric(counter: string): { name: string; label: string; value: string } {
  const dot = Math.max(0, counter.indexOf('.'));
  const known = BY_PREFIX[counter.slice(0, dot)];
  if (known === undefined) return { name: 'tenant_analytics_stage_events_total', label: 'event', value: counter };
  return { name: known[0], label: known[1], value: counter.slice(dot + 1) };
}

/** What was counted since the last time: how many, then for each metric, label, the label's value, and how much. */
export function takeCounts(counters: Counters, to: ByteWriter): void {
  const counts = Object.entries(counters.all()).filter(([, count]) => count > 0);
  to.varint(counts.length);
  for (const [counter, count] of counts) {
    const { name, label, value } = counterMetric(counter);
    to.text(name);
    to.text(label);
    to.text(value);
    to.varint(count);
    counters.add(counter, -count);
  }
}
