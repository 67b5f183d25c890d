import { Command } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import type { Operator } from '../hosts/managed/aws-call.ts';
import type { CodePlace } from '../hosts/managed/requests.ts';
import {
  type AppOptions,
  operating,
  packageOf,
  parallelismOf,
  placeOf,
  printJson,
  putCode,
  withApp,
  withJar,
} from './app-options.ts';
import { printLines } from './output.ts';

interface StartOptions extends AppOptions {
  readonly skipRestore?: true;
  readonly fromSnapshot?: string;
  readonly allowNonRestoredState?: true;
}

export function startAppCommand(): Command {
  return withApp(new Command('start'))
    .description('start it from its latest snapshot, and wait until it runs')
    .option('--skip-restore', 'without state: counts begin anew')
    .option('--from-snapshot <name>', 'from this one')
    .option('--allow-non-restored-state', 'also when the snapshot holds state of a stage that is no more')
    .action(runStart);
}

async function runStart(options: StartOptions): Promise<void> {
  const { skipRestore, fromSnapshot, allowNonRestoredState } = options;
  if (skipRestore && fromSnapshot !== undefined) {
    throw new TenantAnalyticsError('USAGE', 'Choose --skip-restore or --from-snapshot: it begins in one place.');
  }
  const restore =
    fromSnapshot === undefined
      ? ({ kind: skipRestore ? 'none' : 'latest' } as const)
      : ({ kind: 'snapshot', name: fromSnapshot } as const);
  await operating(options, async (operator) => {
    const { startApplication } = await import('../hosts/managed/start.ts');
    const allowed = allowNonRestoredState === true;
    operator.did(await startApplication(operator, { restore, allowNonRestoredState: allowed }));
  });
}

export function stopCommand(): Command {
  return withApp(new Command('stop'))
    .description('stop it with a snapshot, and wait until it has stopped')
    .option('--force', 'at once, whatever it is doing, and without a snapshot')
    .action(async (options: AppOptions & { readonly force?: true }) =>
      operating(options, async (operator) => {
        const { stopApplication } = await import('../hosts/managed/stop.ts');
        operator.did(await stopApplication(operator, options.force === true));
      }),
    );
}

interface UpdateOptions extends AppOptions {
  readonly code?: string | true;
  readonly jar?: string;
  readonly property: string[];
  readonly removeProperty: string[];
  readonly parallelism?: string;
  readonly allowNonRestoredState?: true;
}

const again = (value: string, all: string[]) => [...all, value];

export function updateCommand(): Command {
  return withJar(withApp(new Command('update')))
    .description('change it, and wait until the new version runs; one that does not is taken back')
    .option('--code [uri]', 'code that is there (s3://…); without one the jar is put beside the code it has')
    .option('--property <group.name=value>', 'a parameter; again for more', again, [])
    .option('--remove-property <group.name>', 'back to its default; again for more', again, [])
    .option('--parallelism <n>', 'parts that work side by side')
    .option('--allow-non-restored-state', 'also when its state has that of a stage that is no more')
    .addHelpText(
      'after',
      `
Several changes are one new version. The version that is there is read by the command itself; when someone else changes the
application at the same time it is read anew, and what they changed is kept. A running application goes on from a snapshot that the
service takes. When the new version does not come to run, the one before is brought back (RollbackApplication, else changed back and
started from the latest snapshot), and the command fails with the reason. A policy as app create makes it is changed with the
parameters.`,
    )
    .action(runUpdate);
}

async function runUpdate(options: UpdateOptions): Promise<void> {
  const { property, removeProperty, parallelism, allowNonRestoredState } = options;
  if (options.code === undefined && parallelism === undefined && property.length + removeProperty.length === 0) {
    throw new TenantAnalyticsError(
      'USAGE',
      'Expected what to change: --code, --property group.name=value, --remove-property group.name or --parallelism N.',
    );
  }
  if (options.jar !== undefined && options.code !== true) {
    throw new TenantAnalyticsError('USAGE', '--jar is the file of --code without a URI: add --code, or leave it out.');
  }
  const setting = {
    settings: property,
    removals: removeProperty,
    parallelism: parallelism === undefined ? undefined : parallelismOf(parallelism, '--parallelism'),
    allowNonRestoredState: allowNonRestoredState === true,
  };
  await operating(options, async (operator) => {
    const { updateApplication } = await import('../hosts/managed/update.ts');
    await updateApplication(operator, { ...setting, code: await newCode(options, operator) });
  });
}

async function newCode({ code, jar }: UpdateOptions, operator: Operator): Promise<CodePlace | undefined> {
  if (code === undefined) return undefined;
  if (code !== true) {
    const { codePlaceOf } = await import('../hosts/managed/code.ts');
    return codePlaceOf(code, '--code');
  }
  const { describeApplication } = await import('../hosts/managed/application.ts');
  const { folderOf } = await import('../hosts/managed/requests.ts');
  const there = (await describeApplication(operator)).code;
  if (there === undefined) {
    throw new TenantAnalyticsError('USAGE', `${operator.application} has no code in S3: name it with --code s3://….`);
  }
  const made = await packageOf(jar);
  const place = await placeOf(made, there.bucket, folderOf(there));
  await putCode(operator, made, place);
  return place;
}

export function snapshotCommand(): Command {
  const create = withApp(new Command('create'))
    .description('take one of the running application, and wait until it is READY')
    .argument('[name]', 'its name; by default manual- and the time')
    .action(async (name: string | undefined, options: AppOptions) =>
      operating(options, async (operator) => {
        const { createSnapshot } = await import('../hosts/managed/snapshots.ts');
        operator.did(await createSnapshot(operator, name));
      }),
    );
  const list = withApp(new Command('list'))
    .description('all of them, the oldest first')
    .option('--json', 'as JSON')
    .action(async (options: AppOptions & { readonly json?: true }) =>
      operating(options, async (operator) => {
        const { listSnapshots } = await import('../hosts/managed/snapshots.ts');
        const all = await listSnapshots(operator);
        if (options.json) return printJson(all);
        const lines = all.map(
          ({ name, status, version, createdAt }) =>
            `${createdAt?.toISOString() ?? '-'}  ${status.padEnd(8)} version ${version}  ${name}`,
        );
        return printLines(lines.length === 0 ? ['No snapshots.'] : lines);
      }),
    );
  const remove = withApp(new Command('delete'))
    .description('delete some by name')
    .argument('<names...>')
    .action(async (names: readonly string[], options: AppOptions) =>
      operating(options, async (operator) => {
        const { deleteSnapshots } = await import('../hosts/managed/snapshots.ts');
        for (const line of await deleteSnapshots(operator, names)) operator.did(line);
      }),
    );
  return new Command('snapshot')
    .description('the state of the application, kept by the service')
    .addCommand(create)
    .addCommand(list)
    .addCommand(remove);
}
