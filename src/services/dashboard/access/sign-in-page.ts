import { existsSync, readFileSync } from 'node:fs';
import type { FastifyReply } from 'fastify';

/** What the page may say, by its name in the address: nothing that came is shown in it. */
const SAYINGS = {
  out: [200, 'You are signed out here.'],
  'wrong-token': [401, 'This token is not known, or not valid any more. Look whether all of it was copied.'],
  'metrics-token': [403, 'This token is for reading the metrics of the dashboard, and shows no page.'],
  'too-often': [429, 'Too many attempts from your network failed. Try again in a minute.'],
  elsewhere: [403, 'The form was not sent from this page. Open this page itself, and try again.'],
  denied: [403, 'Your provider did not let you in. Try again, or ask who runs this dashboard.'],
  failed: [401, 'The answer of your provider could not be trusted, so you are not signed in. Try again.'],
  unreachable: [503, 'Your provider does not answer. Try again in a moment.'],
  'not-asked': [401, 'This sign-in took too long, or was begun twice. Try again.'],
  'not-allowed': [
    403,
    'Your provider knows you, but not as one who may see this: you belong to no tenant, and not to the staff. Ask who runs this dashboard.',
  ],
} as const satisfies Record<string, readonly [number, string]>;

export type Said = keyof typeof SAYINGS;

export interface Ways {
  readonly tokens: boolean;
  /** What the provider is known by; undefined: there is none. */
  readonly provider: string | undefined;
}

/** The page for signing in: as the build made it, or a plain one. It needs no script, and has no secret in it. */
export class SignInPage {
  readonly #template: string;
  readonly #ways: Ways;

  constructor(webFolder: string, ways: Ways) {
    const file = `${webFolder}/sign-in.html`;
    this.#template = existsSync(file) ? readFileSync(file, 'utf8') : PLAIN;
    this.#ways = ways;
  }

  send(reply: FastifyReply, said: unknown): FastifyReply {
    const known = isSaid(said) ? said : undefined;
    const [status, words] = known === undefined ? ([200, ''] as const) : SAYINGS[known];
    const note = words === '' ? '' : `<p class="said" role="${status === 200 ? 'status' : 'alert'}">${words}</p>`;
    return reply
      .status(status)
      .header('cache-control', 'no-store')
      .type('text/html; charset=utf-8')
      .send(this.#template.replace(PLACE, () => `${note}${this.#forms(known)}`));
  }

  #forms(said: Said | undefined): string {
    const { tokens, provider } = this.#ways;
    // Who may not see this is known to the provider, and would come back as the same one.
    const again = said === 'not-allowed' || said === 'out' ? '?again' : '';
    const link =
      provider === undefined
        ? ''
        : `<a class="way" href="sign-in/provider${again}">Sign in with ${escaped(provider)}</a>`;
    // Without an address of its own it is sent to this page, with what stands behind the #: the browser keeps it, and so
    // somebody who followed a link gets to see what it leads to.
    const form = `<form method="post"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required maxlength="200" spellcheck="false" />
<button type="submit">Sign in</button></form>`;
    return `${link}${tokens && link !== '' ? '<p class="or">or</p>' : ''}${tokens ? form : ''}`;
  }
}

const PLACE = '<!-- ways -->';

const PLAIN = `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Sign in</title>
<main><h1>Sign in</h1>${PLACE}</main></html>
`;

function isSaid(said: unknown): said is Said {
  return typeof said === 'string' && Object.hasOwn(SAYINGS, said);
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
