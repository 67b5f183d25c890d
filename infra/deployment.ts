import { type App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { Settings } from './settings.ts';
import { ApplicationStack, type ServiceAccess } from './stacks/application.ts';
import { CatalogStack } from './stacks/catalog.ts';
import { NetworkStack } from './stacks/network.ts';
import { StorageStack } from './stacks/storage.ts';
import { StreamsStack } from './stacks/streams.ts';
import { WatchingStack } from './stacks/watching.ts';

/** All stacks of one deployment; each can be deployed alone, with those that it stands on. */
export interface Deployment {
  readonly streams: StreamsStack;
  readonly storage: StorageStack;
  readonly catalog: CatalogStack;
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
  const churnScoring = settings.scoring === 'on' ? existingScoring(settings) : undefined;
  const tenantManager = settings.enrichment === 'lookup' ? existingTenantManager(settings) : undefined;
  const application = new ApplicationStack(app, { ...base, network, churnScoring, tenantManager });
  const watching = new WatchingStack(app, base);
  // They name what these stacks make.
  for (const stack of [catalog, application, watching]) stack.addStackDependency(storage);
  for (const stack of [application, watching]) stack.addStackDependency(streams);
  return { streams, storage, catalog, application, watching };
}

const needsNetwork = ({ vpcId, enrichment, tenantManagerUrl }: Settings): boolean =>
  vpcId !== '' || (enrichment === 'lookup' && tenantManagerUrl === '');

function existingScoring({ churnScoringUrl: url, churnScoringKeyArn }: Settings): ServiceAccess | undefined {
  return url === '' ? undefined : { url, secretArn: churnScoringKeyArn || undefined };
}

function existingTenantManager({ tenantManagerUrl: url, tenantManagerTokenArn }: Settings): ServiceAccess | undefined {
  return url === '' ? undefined : { url, secretArn: tenantManagerTokenArn || undefined };
}
