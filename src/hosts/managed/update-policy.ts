import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import { accountOf } from './account.ts';
import type { ManagedApplication } from './application.ts';
import type { Operator } from './aws-call.ts';
import { NAMES } from './names.ts';
import type { PlannedChange } from './planned-change.ts';
import { type PolicySetting, type PolicyState, permissionPolicy } from './policy.ts';
import { ensurePolicy, isSamePolicy, policyOf, roleName } from './role.ts';

interface WidenedPolicy {
  /** Once the new version runs: what it needs, and no more. */
  narrow(): Promise<void>;
  /** As it was. */
  takeBack(): Promise<void>;
  /** It stays as wide as it is, and whoever looks after it should know. */
  tellWide(): void;
}

/**
 * When a change asks for other rights (another bucket, a stream, a secret), the policy that `app create` made allows both until
 * the new version runs. A policy that someone has written is left alone, and that is told. Undefined: nothing was changed.
 */
export async function widenPolicy(
  operator: Operator,
  before: ManagedApplication,
  planned: PlannedChange,
): Promise<WidenedPolicy | undefined> {
  if (planned.change.code === undefined && planned.change.properties === undefined) return;
  const now = stateOf(before.code, before.properties);
  const then = stateOf(planned.code, planned.properties);
  if (now === undefined || then === undefined || before.role === undefined || before.log === undefined) return;
  const role = roleName(before.role);
  const logStream = before.log.stream;
  try {
    const account = await accountOf(operator);
    const there = await policyOf(operator, role);
    const common = { account, application: before.name, logStream, secretKeys: keysOf(there) };
    const of = (...states: PolicyState[]): PolicySetting => ({ ...common, states });
    const rightsNow = permissionPolicy(of(now));
    if (isSamePolicy(JSON.stringify(rightsNow), permissionPolicy(of(then)))) return;
    // Of both: an update that ended half-way has left it so.
    const ours = [rightsNow, permissionPolicy(of(now, then))];
    if (there === undefined || !ours.some((rights) => isSamePolicy(there, rights))) {
      operator.say(
        `The change needs other rights, and the policy ${NAMES.policy} of ${role} is not as tenant-analytics app create makes it: it is left alone. Compare it with the one that tenant-analytics app aws-requests writes.`,
      );
      return;
    }
    await ensurePolicy(operator, role, of(now, then));
    operator.did(`The policy ${NAMES.policy} allows what both versions need, until the new one runs.`);
    const put = (state: PolicyState) => ensurePolicy(operator, role, of(state)).then((line) => operator.did(line));
    const tellWide = () =>
      operator.say(
        `The policy ${NAMES.policy} of ${role} still allows what both versions need. Once the application is as it is to be, put the one that tenant-analytics app aws-requests writes.`,
      );
    return { narrow: () => put(then), takeBack: () => put(now), tellWide };
  } catch (error) {
    if (error instanceof TenantAnalyticsError && error.code === 'STOPPED') throw error;
    operator.say(`The rights of ${role} were not changed: ${messageOf(error)}`);
    return;
  }
}

function stateOf(
  code: PolicyState['code'] | undefined,
  properties: PolicyState['properties'],
): PolicyState | undefined {
  return code === undefined ? undefined : { code, properties };
}

/** Keys of one's own that the policy allows to decrypt with: only the policy tells them. */
function keysOf(document: string | undefined): string[] {
  if (document === undefined) return [];
  const { Statement = [] } = JSON.parse(document) as { Statement?: { Sid?: string; Resource?: string | string[] }[] };
  return Statement.filter(({ Sid }) => Sid === 'DecryptSecrets').flatMap(({ Resource = [] }) => Resource);
}
