import { describe, expect, it } from 'vitest';
import { VirtualTime } from '../../test/support/virtual-time.ts';
import type { CallFailure } from './contract.ts';
import { ServiceNews } from './service-news.ts';

const failure = (kind: CallFailure['kind'], status: number | null, message: string): CallFailure => ({
  kind,
  status,
  message,
});

function news(): { time: VirtualTime; told: string[]; service: ServiceNews } {
  const time = new VirtualTime(1_000_000);
  const told: string[] = [];
  const service = new ServiceNews('churn-scoring', { clock: time.clock, warn: (message) => told.push(message) });
  return { time, told, service };
}

describe('a person is told', () => {
  it('once that a service cannot be asked, however often that is, and once that it answers again', () => {
    const { told, service } = news();
    service.answered();
    service.failed(failure('status', 503, 'answered 503'));
    service.failed(failure('timeout', null, 'no answer within 5000 ms'));
    service.failed(failure('breaker-open', null, 'the circuit breaker is open'));
    service.answered();
    service.answered();
    expect(told).toEqual([
      'churn-scoring cannot be asked: answered 503. What needs it waits, or goes on without; trying again.',
      'churn-scoring answers again.',
    ]);
    service.failed(failure('connection', null, 'ECONNREFUSED'));
    expect(told).toHaveLength(3);
  });

  it.each([
    ['a wrong key', failure('status', 403, 'expected 200, got 403')],
    ['an answer that is none', failure('not-an-answer', 200, 'expected churn')],
  ])(
    'of calls that are refused (%s) once a minute, with their number, also while others are answered',
    async (_, refusal) => {
      const { time, told, service } = news();
      for (let call = 0; call < 5; call++) {
        service.failed(refusal);
        service.answered();
      }
      expect(told).toEqual([
        `churn-scoring refuses calls (1 so far): ${refusal.message}. Look at its URL, key and token, and at its log.`,
      ]);
      await time.advance(60_000);
      service.failed(refusal);
      expect(told[1]).toContain('(6 so far)');
    },
  );
});
