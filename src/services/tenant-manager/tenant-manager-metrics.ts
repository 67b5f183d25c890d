import type { Registry } from 'prom-client';
import type { EpochMs } from '../../base/time.ts';
import { TENANT_MANAGER_METRICS } from '../../observe/metric-table.ts';
import { lookedUp } from '../../observe/registry.ts';
import type { Publish } from './outbox-publisher.ts';
import type { TenantRepository } from './tenant-repository.ts';

type Waiting = Awaited<ReturnType<TenantRepository['waiting']>>;

export interface TenantManagerMetrics {
  readonly registry: Registry;
  /** Publishes, and counts what became of it. */
  counted(publish: Publish): Publish;
}

/** What TenantManager publishes, and what waits for it: the latter is looked up in its database. */
export function tenantManagerMetrics(
  tenants: Pick<TenantRepository, 'waiting'>,
  now: () => EpochMs,
): TenantManagerMetrics {
  const sent = { accepted: 0, failed: 0 };
  let looking: Promise<Waiting | undefined> | undefined;
  /** Once for all that ask meanwhile; undefined while the database does not answer: /health says so. */
  const waiting = () => {
    looking ??= tenants.waiting().then(
      (found) => found,
      () => undefined,
    );
    return looking.finally(() => {
      looking = undefined;
    });
  };
  const ofOutbox = (value: (found: Waiting) => number) => async () => {
    const found = await waiting();
    return found === undefined ? [] : [{ value: value(found) }];
  };
  return {
    registry: lookedUp(TENANT_MANAGER_METRICS, {
      tenant_manager_outbox_records: ofOutbox(({ records }) => records),
      tenant_manager_outbox_oldest_seconds: ofOutbox(({ oldest }) =>
        oldest === undefined ? 0 : Math.max(0, (now() - oldest) / 1000),
      ),
      tenant_manager_published_total: () => [{ value: sent.accepted }],
      tenant_manager_publish_failures_total: () => [{ value: sent.failed }],
    }),
    counted: (publish) => async (companyID, record) => {
      try {
        await publish(companyID, record);
        sent.accepted++;
      } catch (error) {
        sent.failed++;
        throw error;
      }
    },
  };
}
