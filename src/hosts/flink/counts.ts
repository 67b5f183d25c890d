import type { ByteWriter } from '../../base/bytes.ts';
import { counterMetric } from '../../observe/metric-table.ts';
import type { Counters } from '../../runtime/operators.ts';

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
