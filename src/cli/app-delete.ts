import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { NAMES } from '../hosts/managed/names.ts';
import { type AppOptions, operating, withApp } from './app-options.ts';

interface DeleteOptions extends AppOptions {
  readonly yes?: string;
  readonly withRole?: true;
  readonly withLogs?: true;
}

export function deleteCommand(): Command {
  return withApp(new Command('delete'))
    .description('delete it with all its snapshots; asks for its name first')
    .option('--yes <name>', 'its name, in place of being asked')
    .option('--with-role', `also the role ${NAMES.role} and its policy ${NAMES.policy}`)
    .option('--with-logs', 'also its log group, with all lines')
    .addHelpText('after', '\nRows, code, streams and secrets stay: docs/deploy.md says how to clean up.')
    .action(runDelete);
}

async function runDelete(options: DeleteOptions): Promise<void> {
  const { application } = options;
  const name = options.yes ?? (await askedName(application));
  if (name !== application) {
    throw new TenantAnalyticsError(
      'USAGE',
      `Expected the name of the application, ${application}, got ${JSON.stringify(name)}: nothing was deleted.`,
    );
  }
  await operating(options, async (operator) => {
    const { deleteApplication } = await import('../hosts/managed/delete.ts');
    await deleteApplication(operator, { withRole: options.withRole === true, withLogs: options.withLogs === true });
  });
}

async function askedName(application: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new TenantAnalyticsError(
      'USAGE',
      `There is no terminal to ask on. Confirm with --yes ${application}: its snapshots are deleted, too.`,
    );
  }
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D are a no.
  const no = new AbortController();
  asking.once('SIGINT', () => no.abort());
  asking.once('close', () => no.abort());
  const question = `This deletes ${application} and all its snapshots. Type its name: `;
  try {
    return (await asking.question(question, { signal: no.signal })).trim();
  } catch {
    process.stderr.write('\n');
    throw new TenantAnalyticsError('STOPPED', 'Nothing was deleted.');
  } finally {
    asking.close();
  }
}
