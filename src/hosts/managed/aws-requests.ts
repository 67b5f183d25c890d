import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { storageError } from '../../base/errors.ts';
import { arns, NAMES } from './names.ts';
import { permissionPolicy, trustPolicy } from './policy.ts';
import { configurationUpdate, createRequest, runConfiguration, type WantedApplication } from './requests.ts';

export type RequestSetting = Omit<WantedApplication, 'role'> & {
  /** ARN; undefined: ours. */
  readonly role: string | undefined;
  readonly secretKeys: readonly string[];
};

/**
 * The requests as files for `aws … --cli-input-json file://…` and the console: the same data that our commands send. What only AWS
 * knows when they are sent (the version, the time it was created) is given to the AWS CLI beside the file.
 */
export function requestFiles(setting: RequestSetting): ReadonlyMap<string, object> {
  const { account, name, code, properties, logStream, secretKeys, parallelism } = setting;
  const role = setting.role ?? arns.role(account, NAMES.role);
  const wanted: WantedApplication = { ...setting, role };
  const application = { ApplicationName: name };
  const restore = (kind: 'latest' | 'none', allowNonRestoredState = false) => ({
    ...application,
    RunConfiguration: runConfiguration({ kind }, allowNonRestoredState),
  });
  const update = (change: Parameters<typeof configurationUpdate>[0]) => ({
    ...application,
    ApplicationConfigurationUpdate: configurationUpdate(change, account.partition),
  });
  return new Map<string, object>([
    ['trust_policy.json', trustPolicy(account, name)],
    [
      'permission_policy.json',
      permissionPolicy({ account, application: name, logStream, states: [{ code, properties }], secretKeys }),
    ],
    ['create_request.json', createRequest(wanted)],
    ['start_application.json', restore('latest')],
    ['start_without_state.json', restore('none')],
    ['start_allow_non_restored_state.json', restore('latest', true)],
    [
      'start_from_snapshot.json',
      { ...application, RunConfiguration: runConfiguration({ kind: 'snapshot', name: 'before-upgrade' }, false) },
    ],
    ['update_code.json', update({ code })],
    ['update_properties.json', update({ properties })],
    ['update_parallelism.json', update({ parallelism })],
    ['snapshot_create.json', { ...application, SnapshotName: 'before-upgrade' }],
    ['snapshot_list.json', application],
    ['snapshot_delete.json', { ...application, SnapshotName: 'before-upgrade' }],
    ['stop_application.json', application],
    ['stop_force.json', { ...application, Force: true }],
    ['describe_application.json', application],
    ['delete_application.json', application],
  ]);
}

/** Writes them; answers their paths. @throws TenantAnalyticsError STORAGE_FAILED */
export async function writeRequests(folder: string, files: ReadonlyMap<string, object>): Promise<string[]> {
  const paths: string[] = [];
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, content] of files) {
      const path = join(folder, name);
      await writeFile(path, `${JSON.stringify(content, null, 2)}\n`);
      paths.push(path);
    }
  } catch (error) {
    throw storageError(error, folder);
  }
  return paths;
}
