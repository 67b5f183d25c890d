import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf, TenantAnalyticsError } from '../../../base/errors.ts';
import type { EpochMs } from '../../../base/time.ts';
import { isSameSecret } from '../../same-secret.ts';
import type { Sees, Viewer } from './viewer.ts';

const TOKEN_BYTES = 32;
const MOST_TOKENS = 10_000;

const companyID = z.string().min(1).max(256);
const tokenSchema = z.strictObject({
  name: z.string().trim().min(1).max(100),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected the 64 lower-case hexadecimal digits of a SHA-256'),
  sees: z.union([z.literal('all'), z.literal('metrics'), z.strictObject({ companyID })], {
    error: 'expected "all", "metrics" or {"companyID": "…"}',
  }),
  expires: z.iso.datetime({ offset: true, error: 'expected a time such as 2027-01-31T00:00:00Z' }).optional(),
});

interface Token {
  readonly id: string;
  readonly sha256: string;
  readonly viewer: Viewer;
}

/** Tokens by which people and programs sign in. Only their hashes are known here. */
export class Tokens {
  readonly #tokens: ReadonlyMap<string, Token>;

  private constructor(tokens: ReadonlyMap<string, Token>) {
    this.#tokens = tokens;
  }

  /** @throws TenantAnalyticsError INPUT_UNREADABLE, which quotes nothing of the file */
  static async read(path: string): Promise<Tokens> {
    const wrong = (what: string) =>
      new TenantAnalyticsError('INPUT_UNREADABLE', `--tokens: ${path}: ${what} docs/access.md shows such a file.`);
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      throw wrong(`cannot be read: ${messageOf(error)}.`);
    });
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw wrong('expected JSON, a list of tokens, got something else.');
    }
    const read = z.array(tokenSchema).min(1).max(MOST_TOKENS).safeParse(value);
    if (!read.success) {
      const [issue] = read.error.issues;
      throw wrong(`expected a list of tokens, got at ${issue?.path.join('.') || 'its start'}: ${issue?.message}.`);
    }
    const tokens = new Map<string, Token>();
    for (const { name, sha256, sees, expires } of read.data) {
      const id = sha256.slice(0, 16);
      if (tokens.has(id)) throw wrong(`the token of ${name} is there twice: each is one person's or program's.`);
      const until = expires === undefined ? {} : { until: Date.parse(expires) };
      tokens.set(id, { id, sha256, viewer: { name, sees, ...until } });
    }
    return new Tokens(tokens);
  }

  /** Whose token this is; undefined when it is nobody's, or not any more. */
  find(token: string, now: EpochMs): { readonly id: string; readonly viewer: Viewer } | undefined {
    const came = hashOf(token);
    const found = this.#tokens.get(came.slice(0, 16));
    // What the map was asked for is a hash, which tells nothing of the token; the rest is compared in constant time.
    const isIt = isSameSecret(came, found?.sha256 ?? '');
    return found !== undefined && isIt && isValid(found, now) ? found : undefined;
  }

  /** Whose session this is: of a token that was taken out of the file, nobody's. */
  viewerOf(id: string, now: EpochMs): Viewer | undefined {
    const found = this.#tokens.get(id);
    return found !== undefined && isValid(found, now) ? found.viewer : undefined;
  }
}

function isValid({ viewer: { until = Number.POSITIVE_INFINITY } }: Token, now: EpochMs): boolean {
  return now < until;
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/**
 * A new token, and what stands in the file for it.
 * @throws TenantAnalyticsError USAGE
 */
export function newToken(
  name: string,
  sees: Sees,
  expires?: string,
): { readonly token: string; readonly entry: object } {
  const token = `ta_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  const entry = { name, sha256: hashOf(token), sees, ...(expires === undefined ? {} : { expires }) };
  const read = tokenSchema.safeParse(entry);
  if (read.success) return { token, entry: read.data };
  const [issue] = read.error.issues;
  throw new TenantAnalyticsError('USAGE', `A token cannot be made: ${issue?.path.join('.')}: ${issue?.message}.`);
}
