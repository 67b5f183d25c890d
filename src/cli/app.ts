import { Command } from 'commander';
import { requestsCommand } from './app-aws-requests.ts';
import { createCommand, packageCommand, uploadCommand } from './app-create.ts';
import { deleteCommand } from './app-delete.ts';
import { describeCommand, logsCommand } from './app-look.ts';
import { snapshotCommand, startAppCommand, stopCommand, updateCommand } from './app-run.ts';

export function appCommand(): Command {
  return new Command('app')
    .description('the application on Amazon Managed Service for Apache Flink: from its jar to its end')
    .addCommand(packageCommand())
    .addCommand(uploadCommand())
    .addCommand(createCommand())
    .addCommand(startAppCommand())
    .addCommand(describeCommand())
    .addCommand(updateCommand())
    .addCommand(stopCommand())
    .addCommand(snapshotCommand())
    .addCommand(logsCommand())
    .addCommand(deleteCommand())
    .addCommand(requestsCommand())
    .addHelpText(
      'after',
      `
Each command looks at what is there first: called again it says so, and changes nothing. What was done is told on standard output,
progress on standard error. Ctrl-C ends the command, not what AWS is at: it says what goes on there. AWS credentials come from the
default chain (environment, profile, role).

From nothing to a running application, and back (docs/deploy.md, also with the AWS CLI and the console):
  tenant-analytics app create --bucket my-bucket --properties application_properties.json
  tenant-analytics app start
  tenant-analytics app describe
  tenant-analytics app update --property ApplicationConfigProperties.score.concurrency=200
  tenant-analytics app stop
  tenant-analytics app delete`,
    );
}
