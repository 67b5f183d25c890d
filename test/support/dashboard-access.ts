// Dashboards that ask who signs in, for tests.
import { writeFile } from 'node:fs/promises';
import { type AccessRequest, readAccess } from '../../src/services/dashboard/access/settings.ts';
import { newToken } from '../../src/services/dashboard/access/tokens.ts';

/** As the command line asks for it when nothing is said. */
export const NOTHING_SAID: AccessRequest = {
  host: '127.0.0.1',
  publicUrl: '',
  tlsCert: '',
  tlsKey: '',
  trustProxy: '',
  tokens: '',
  oidcIssuer: '',
  oidcClientID: '',
  oidcClientSecret: '',
  oidcScope: 'openid profile email',
  oidcTenantClaim: 'company_id',
  oidcStaffClaim: '',
  sessionHours: 8,
  sessionSecret: '',
};

export const TOKENS = {
  staff: newToken('Ana of the staff', 'all'),
  tenant: newToken('Tom of comp_1', { companyID: 'comp_1' }),
  metrics: newToken('prometheus', 'metrics'),
  old: newToken('Old', 'all', '2020-01-01T00:00:00Z'),
};

/** Writes the file of tokens into the folder. */
export async function tokensFile(folder: string): Promise<string> {
  const path = `${folder}/tokens.json`;
  await writeFile(path, JSON.stringify(Object.values(TOKENS).map(({ entry }) => entry)));
  return path;
}

export async function accessWithTokens(folder: string, more: Partial<AccessRequest> = {}) {
  return readAccess({ ...NOTHING_SAID, tokens: await tokensFile(folder), ...more });
}

export function bearer(who: keyof typeof TOKENS): { readonly authorization: string } {
  return { authorization: `Bearer ${TOKENS[who].token}` };
}
