import type { Flip } from '../../../src/services/dashboard/insights-schema.ts';

/** Which way a tenant turned. */
export function Turn({ change }: { readonly change: Flip['change'] }) {
  return change === 'at-risk' ? (
    <span class="badge bad">turned at-risk</span>
  ) : (
    <span class="badge good">recovered</span>
  );
}
