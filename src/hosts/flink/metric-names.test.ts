import { expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { Counters } from '../../runtime/operators.ts';
import { counterMetric, takeCounts } from './metric-names.ts';

test.each([
  ['records.jobs', 'tenant_analytics_records_total', 'source', 'jobs'],
  ['rows.enrichedcompanies', 'tenant_analytics_rows_total', 'sink', 'enrichedcompanies'],
  ['dead-letters.unknown-company', 'tenant_analytics_dead_letters_total', 'reason', 'unknown-company'],
  ['calls-failed.churn-scoring', 'tenant_analytics_calls_given_up_total', 'service', 'churn-scoring'],
  ['stage-failures.churn-risk', 'tenant_analytics_stage_events_total', 'event', 'stage-failures.churn-risk'],
  ['stale-company-records', 'tenant_analytics_stage_events_total', 'event', 'stale-company-records'],
])('the counter %s is the metric %s with %s=%s', (counter, name, label, value) => {
  expect(counterMetric(counter)).toEqual({ name, label, value });
});

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
