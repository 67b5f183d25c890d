import { type App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { Settings } from './settings.ts';
import { ApplicationStack, type ServiceAccess } from './stacks/application.ts';
import { CatalogStack } from './stacks/catalog.ts';
import { ChurnScoringStack } from './stacks/churn-scoring.ts';
import { NetworkStack } from './stacks/network.ts';
import { StorageStack } from './stacks/storage.ts';
import { StreamsStack } from './stacks/streams.ts';
import { TenantManagerStack } from './stacks/tenant-manager.ts';
import { WatchingStack } from './stacks/watching.ts';

/** All stacks of one deployment; each can be deployed alone, with those that it stands on. */
export interface Deployment {
  readonly streams: StreamsStack;
  readonly storage: StorageStack;
  readonly catalog: CatalogStack;
  /** Undefined when the settings name another, or none is asked. */
  readonly churnScoring: ChurnScoringStack | undefined;
  /** Undefined when the settings name another, or none is asked. */
  readonly tenantManager: TenantManagerStack | undefined;
  readonly application: ApplicationStack;
  readonly watching: WatchingStack;
}

export function deployment(app: App, settings: Settings): Deployment {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const base = { settings };
  const streams = new StreamsStack(app, base);
  const storage = new StorageStack(app, base);
  const catalog = new CatalogStack(app, base);
  const network = needsNetwork(settings) ? new NetworkStack(app, base) : undefined;
  const churnScoring = needsChurnScoring(settings) ? new ChurnScoringStack(app, base) : undefined;
  const tenantManager =
    network && needsTenantManager(settings) ? new TenantManagerStack(app, { ...base, network }) : undefined;
  const application = new ApplicationStack(app, {
    ...base,
    network,
    churnScoring: churnScoring?.access ?? existingScoring(settings),
    tenantManager: tenantManager?.access ?? existingTenantManager(settings),
  });
  const watching = new WatchingStack(app, { ...base, scoring: churnScoring?.metrics });
  // They name what these stacks make.
  for (const stack of [catalog, application, watching]) stack.addStackDependency(storage);
  for (const stack of [application, watching, tenantManager]) stack?.addStackDependency(streams);
  return { streams, storage, catalog, churnScoring, tenantManager, application, watching };
}

const needsChurnScoring = ({ scoring, churnScoringUrl }: Settings): boolean =>
  scoring === 'on' && churnScoringUrl === '';

const needsTenantManager = ({ enrichment, tenantManagerUrl }: Settings): boolean =>
  enrichment === 'lookup' && tenantManagerUrl === '';

const needsNetwork = (settings: Settings): boolean => settings.vpcId !== '' || needsTenantManager(settings);

function existingScoring({ scoring, churnScoringUrl: url, churnScoringKeyArn }: Settings): ServiceAccess | undefined {
  return scoring === 'off' ? undefined : { url, secretArn: churnScoringKeyArn || undefined };
}

function existingTenantManager(settings: Settings): ServiceAccess | undefined {
  const { enrichment, tenantManagerUrl: url, tenantManagerTokenArn } = settings;
  return enrichment === 'join' ? undefined : { url, secretArn: tenantManagerTokenArn || undefined };
}
