import { expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { Counters } from '../../runtime/operators.ts';
import { takeCounts } from './counts.ts';

test('what was counted is told once', () => {
  const counters = new Counters();
  counters.add('records.jobs', 300);
  const told = () => {
    const to = new ByteWriter(64);
    takeCounts(counters, to);
    const from = new ByteReader(to.view());
    return Array.from({ length: from.varint() }, () => [from.text(), from.text(), from.text(), from.varint()]);
  };
  expect(told()).toEqual([['tenant_analytics_records_total', 'source', 'jobs', 300]]);
  expect(told()).toEqual([]);
});
