import { effect, signal } from '@preact/signals';
import type { Catalogue } from '../../../src/services/dashboard/insights-schema.ts';
import { connection } from './feed.ts';

/** Whether the service knows where the application tells its metrics. */
export const offersPipeline = signal(false);

// After each connection: it may be another service than before.
effect(() => {
  if (connection.value === 'live') void ask();
});

async function ask(): Promise<void> {
  try {
    const response = await fetch('api/insights');
    if (!response.ok) return;
    const { insights } = (await response.json()) as Catalogue;
    offersPipeline.value = insights.some(({ name }) => name === 'pipeline');
  } catch {
    // The feed notices, and connects again.
  }
}
