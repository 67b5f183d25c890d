import { CreateApplicationCommand } from '@aws-sdk/client-kinesis-analytics-v2';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { accountOf } from './account.ts';
import { findApplication, type ManagedApplication } from './application.ts';
import { type AwsRefusal, call, isRefusal, type Operator } from './aws-call.ts';
import { requireCode } from './code.ts';
import { ensureLog } from './log-group.ts';
import { NAMES } from './names.ts';
import { differentProperties } from './properties.ts';
import { createRequest, uriOf, type WantedApplication } from './requests.ts';
import { ensurePolicy, ensureRole, roleName } from './role.ts';
import { pause } from './waiting.ts';

export type CreateSetting = Omit<WantedApplication, 'account' | 'role' | 'name'> & {
  /** ARN of a role that is there, with all its rights; undefined: ours is made. */
  readonly role: string | undefined;
  readonly secretKeys: readonly string[];
  readonly logRetentionDays: number;
};

/** A role that was just made is known everywhere only after a while, mostly seconds. */
const ROLE_LIMIT_MS = 180_000;
const ROLE_LOOK_MS = 5000;

/**
 * Makes role, policy, log and application, each unless it is there. Tells what was made and what was there.
 * @throws TenantAnalyticsError APPLICATION_DIFFERS when it is there, and not as was asked for
 */
export async function createApplication(operator: Operator, setting: CreateSetting): Promise<void> {
  await requireCode(operator, setting.code);
  const account = await accountOf(operator);
  // One that is there and is another must keep its rights.
  const already = await findApplication(operator);
  if (already !== undefined) {
    refuseDifferent(already, { ...setting, account, name: operator.application, role: setting.role ?? NAMES.role });
  }
  let role = setting.role;
  if (role === undefined) {
    const ours = await ensureRole(operator, account, NAMES.role);
    role = ours.arn;
    operator.did(ours.told);
    operator.did(
      await ensurePolicy(operator, NAMES.role, {
        account,
        application: operator.application,
        logStream: setting.logStream,
        states: [setting],
        secretKeys: setting.secretKeys,
      }),
    );
  }
  operator.did(await ensureLog(operator, setting.logStream, setting.logRetentionDays));
  const wanted: WantedApplication = { ...setting, account, role, name: operator.application };
  const there = await findApplication(operator);
  if (there === undefined && (await create(operator, wanted))) {
    operator.did(`Made the application ${wanted.name} (${uriOf(wanted.code)}, parallelism ${wanted.parallelism}).`);
    return;
  }
  const found = there ?? (await findApplication(operator));
  if (found !== undefined) refuseDifferent(found, wanted);
  operator.did(`Application ${wanted.name} is there already, as asked for.`);
}

/** False: it was there after all, by an answer that was lost, or someone who was faster. */
async function create(operator: Operator, wanted: WantedApplication): Promise<boolean> {
  const { aws, clock } = operator;
  const until = clock.now() + ROLE_LIMIT_MS;
  for (let tries = 0; ; tries++) {
    try {
      const request = new CreateApplicationCommand(createRequest(wanted));
      await call(operator, `CreateApplication ${wanted.name}`, () => aws.analytics.send(request));
      return true;
    } catch (error) {
      if (isRefusal(error, 'ResourceInUseException')) return false;
      if (!isRoleUnknown(error)) throw error;
      if (clock.now() >= until) throw roleRefused(error, wanted);
      if (tries === 0) operator.say(`The service cannot take the role ${roleName(wanted.role)} yet; waiting for it …`);
      await pause(operator, `${wanted.name} was not made.`, ROLE_LOOK_MS);
    }
  }
}

/** The service says so of a role that is too new, too: https://github.com/hashicorp/terraform-provider-aws/issues/16104 */
function isRoleUnknown(error: unknown): error is AwsRefusal {
  return (
    isRefusal(error, 'InvalidArgumentException') &&
    /sufficient privileges|check the role provided/i.test(error.awsMessage)
  );
}

function roleRefused(error: AwsRefusal, { role, code }: WantedApplication): TenantAnalyticsError {
  return new TenantAnalyticsError(
    'AWS_REFUSED',
    `${error.message} It was tried for ${ROLE_LIMIT_MS / 60_000} minutes. Expected that kinesisanalytics.amazonaws.com may take the role ${role}, and that the role may read ${uriOf(code)}: look at its trust policy and its permissions.`,
    { cause: error },
  );
}

function refuseDifferent(there: ManagedApplication, wanted: WantedApplication): void {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['runtime', there.runtime, NAMES.runtime],
    ['role', there.role && roleName(there.role), roleName(wanted.role)],
    ['code', there.code && uriOf(there.code), uriOf(wanted.code)],
    ['parallelism', there.parallelism, wanted.parallelism],
    ['parallelism per KPU', there.parallelismPerKpu, wanted.parallelismPerKpu],
    ['autoscaling', there.autoscaling, wanted.autoscaling],
    ['snapshots', there.snapshots, true],
    ['log level', there.logLevel, wanted.logLevel],
    ['metrics level', there.metricsLevel, wanted.metricsLevel],
  ];
  const differences = [
    ...pairs
      .filter(([, now, then]) => now !== undefined && now !== then)
      .map(([what, now, then]) => `${what}: ${now}, and ${then} was asked for`),
    ...differentProperties(there.properties, wanted.properties),
  ];
  if (differences.length === 0) return;
  throw new TenantAnalyticsError(
    'APPLICATION_DIFFERS',
    `${wanted.name} is there already (version ${there.version}, ${there.status}), and is not as asked for: ${differences.join('; ')}. It was left as it is. Change it with tenant-analytics app update (--code, --property, --parallelism).`,
  );
}
