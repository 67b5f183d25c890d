import { readParameters } from '../../../pipeline/parameters.ts';
import { applicationOf, type ManagedApplication } from '../../managed/application.ts';
import { textsOf } from '../describe.ts';
import type { Aws } from './aws-cli.ts';

/** The application as the managed service describes it, with what the smoke test needs of its parameters. */
export interface SmokedApplication extends ManagedApplication {
  readonly jobs: string;
  readonly companies: string;
  readonly consumer: string;
  readonly sink: string;
  readonly format: string;
}

/** @throws TenantAnalyticsError for parameters that the application refuses, too */
export async function managedApplication(aws: Aws, name: string): Promise<SmokedApplication> {
  const answer = JSON.parse(await aws('kinesisanalyticsv2', 'describe-application', '--application-name', name)) as {
    readonly ApplicationDetail?: unknown;
  };
  const found = applicationOf(answer.ApplicationDetail);
  const { consumer, application } = readParameters(textsOf(found.properties));
  return {
    ...found,
    jobs: consumer['jobs.stream.name'],
    companies: consumer['companies.stream.name'],
    consumer: consumer['jobs.stream.consumer'],
    sink: application.S3SinkPath,
    format: application.S3SinkFormat,
  };
}
