import {
  CreateRoleCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { call, callOrNone, isRefusal, type Operator } from './aws-call.ts';
import { type Account, arns, NAMES } from './names.ts';
import { type PolicySetting, permissionPolicy, trustPolicy } from './policy.ts';

/** Name, without path, of a role by its ARN or name. */
export function roleName(role: string): string {
  return role.slice(role.lastIndexOf('/') + 1);
}

/** Makes the role unless it is there. Answers its ARN, and what was done. */
export async function ensureRole(
  operator: Operator,
  account: Account,
  name: string,
): Promise<{ readonly arn: string; readonly told: string }> {
  const { iam } = operator.aws;
  const find = () => callOrNone(operator, `GetRole of ${name}`, () => iam.send(new GetRoleCommand({ RoleName: name })));
  const there = await find();
  if (there?.Role?.Arn !== undefined) {
    refuseOtherTrust(
      name,
      decoded(there.Role.AssumeRolePolicyDocument),
      arns.application(account, operator.application),
    );
    return { arn: there.Role.Arn, told: `Role ${name} is there already.` };
  }
  const made = await call(operator, `CreateRole ${name}`, () =>
    iam.send(
      new CreateRoleCommand({
        RoleName: name,
        Description: 'What the application may do (tenant-analytics)',
        AssumeRolePolicyDocument: JSON.stringify(trustPolicy(account, operator.application)),
      }),
    ),
  ).catch((error: unknown) => {
    // An answer that was lost, or someone who was faster.
    if (isRefusal(error, 'EntityAlreadyExists', 'EntityAlreadyExistsException')) return find();
    throw error;
  });
  const arn = made?.Role?.Arn;
  if (arn === undefined) throw new TenantAnalyticsError('AWS_REFUSED', `CreateRole ${name}: the answer names no ARN.`);
  return { arn, told: `Made the role ${name}.` };
}

function refuseOtherTrust(name: string, document: string, application: string): void {
  const others = trustedApplications(document).filter((arn) => arn !== application);
  if (others.length > 0 && !trustedApplications(document).includes(application)) {
    throw new TenantAnalyticsError(
      'AWS_REFUSED',
      `Role ${name} is there, and may be taken by ${others.join(', ')} only: expected ${application}. Two applications need two roles: name another with --role.`,
    );
  }
  if (document === '' || document.includes('kinesisanalytics.amazonaws.com')) return;
  throw new TenantAnalyticsError(
    'AWS_REFUSED',
    `Role ${name} is there, and its trust policy does not name kinesisanalytics.amazonaws.com: the service could not take it. Add that, or name another role with --role.`,
  );
}

/** ARNs of the applications that a trust policy is bound to; none: to no particular one. */
function trustedApplications(document: string): string[] {
  return [...document.matchAll(/arn:[\w-]+:kinesisanalytics:[\w-]*:\d*:application\/[\w.-]+/g)].map(([arn]) => arn);
}

/** The inline policy of the role as it is, or undefined. */
export async function policyOf(operator: Operator, role: string): Promise<string | undefined> {
  const answer = await callOrNone(operator, `GetRolePolicy ${NAMES.policy} of ${role}`, () =>
    operator.aws.iam.send(new GetRolePolicyCommand({ RoleName: role, PolicyName: NAMES.policy })),
  );
  return answer === undefined ? undefined : decoded(answer.PolicyDocument);
}

/** Puts the policy unless it is there and the same. Answers what was done. */
export async function ensurePolicy(operator: Operator, role: string, setting: PolicySetting): Promise<string> {
  const wanted = permissionPolicy(setting);
  const there = await policyOf(operator, role);
  if (there !== undefined && isSamePolicy(there, wanted)) return `Policy ${NAMES.policy} is there already.`;
  await call(operator, `PutRolePolicy ${NAMES.policy} of ${role}`, () =>
    operator.aws.iam.send(
      new PutRolePolicyCommand({ RoleName: role, PolicyName: NAMES.policy, PolicyDocument: JSON.stringify(wanted) }),
    ),
  );
  return there === undefined
    ? `Made the policy ${NAMES.policy}.`
    : `Changed the policy ${NAMES.policy} to what the parameters need.`;
}

/** By meaning: IAM may give a document back in another order of its names. */
export function isSamePolicy(document: string, wanted: object): boolean {
  try {
    return JSON.stringify(sorted(JSON.parse(document))) === JSON.stringify(sorted(wanted));
  } catch {
    return false;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
}

/** IAM gives documents back as parts of a URL. */
function decoded(document = ''): string {
  return document.startsWith('%') ? decodeURIComponent(document) : document;
}

/** Removes policy and role, unless they are of another application. Answers what was done. */
export async function removeRole(operator: Operator, account: Account, name: string): Promise<string> {
  const { iam } = operator.aws;
  const there = await callOrNone(operator, `GetRole of ${name}`, () =>
    iam.send(new GetRoleCommand({ RoleName: name })),
  );
  if (there === undefined) return `There is no role ${name}.`;
  const of = trustedApplications(decoded(there.Role?.AssumeRolePolicyDocument));
  if (of.length > 0 && of.some((arn) => arn !== arns.application(account, operator.application))) {
    return `The role ${name} stays: it is of ${of.join(', ')}.`;
  }
  await callOrNone(operator, `DeleteRolePolicy ${NAMES.policy} of ${name}`, () =>
    iam.send(new DeleteRolePolicyCommand({ RoleName: name, PolicyName: NAMES.policy })),
  );
  try {
    const gone = await callOrNone(operator, `DeleteRole ${name}`, () =>
      iam.send(new DeleteRoleCommand({ RoleName: name })),
    );
    return gone === undefined
      ? `There is no role ${name}.`
      : `Deleted the role ${name} and its policy ${NAMES.policy}.`;
  } catch (error) {
    if (!isRefusal(error, 'DeleteConflict', 'DeleteConflictException')) throw error;
    return `Deleted the policy ${NAMES.policy}; the role ${name} stays, as it has other policies: ${error.awsMessage}`;
  }
}
