import { Command } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { type AppOptions, operating, type WantedOptions, wantedOf, withApp, withWanted } from './app-options.ts';
import { readTexts } from './options.ts';

interface RequestsOptions extends AppOptions, WantedOptions {
  readonly account?: string;
  readonly code: string;
  readonly output: string;
}

export function requestsCommand(): Command {
  return withWanted(withApp(new Command('aws-requests')))
    .description('the requests as files, filled in, for the AWS CLI and the console')
    .requiredOption('--code <uri>', 'where the code is or will be: s3://bucket/churn/name.jar')
    .option('--account <id>', 'twelve digits; without it, the account of the credentials')
    .option('--output <folder>', 'where they are written', 'aws-requests')
    .addHelpText(
      'after',
      `
The same data that the other commands send: trust and permission policy, create, start, update, snapshot, stop, describe, delete.
docs/deploy.md says which AWS command takes which file. With --account nothing is asked of AWS. A secret is never written: the
parameters that hold one take its ARN.`,
    )
    .action(runRequests);
}

async function runRequests(options: RequestsOptions): Promise<void> {
  const { account } = options;
  if (account !== undefined && !/^\d{12}$/.test(account)) {
    throw new TenantAnalyticsError('USAGE', `--account: expected twelve digits, got ${JSON.stringify(account)}.`);
  }
  const { propertyGroups } = await import('../hosts/managed/properties.ts');
  const { codePlaceOf } = await import('../hosts/managed/code.ts');
  const { requestFiles, writeRequests } = await import('../hosts/managed/aws-requests.ts');
  const { accountOf } = await import('../hosts/managed/account.ts');
  const { partitionOfRegion } = await import('../hosts/managed/names.ts');
  const { region, application: name } = options;
  const wanted = wantedOf(options);
  const properties = propertyGroups(await readTexts(options), region);
  const code = codePlaceOf(options.code, '--code');
  await operating(options, async (operator) => {
    const whose =
      account === undefined ? await accountOf(operator) : { id: account, region, partition: partitionOfRegion(region) };
    const files = requestFiles({ ...wanted, name, account: whose, code, properties });
    for (const path of await writeRequests(options.output, files)) operator.did(path);
  });
}
