/** What must not be in a log, wherever it came from: in an error's message, say, that quotes what was sent. */
export class Secrets {
  readonly #values = new Set<string>();

  /** Masks this value from now on. Short ones would mask half of the log; nobody should have such. */
  hide(...values: readonly (string | undefined)[]): void {
    for (const value of values) {
      if (value === undefined || value.length < LEAST_CHARACTERS) continue;
      // As it is, inside JSON, and inside a URL.
      for (const form of [value, JSON.stringify(value).slice(1, -1), encoded(value)]) this.#values.add(form);
    }
  }

  /** Values of the environment whose names say that they are secrets; not ARNs: they say which secret cannot be read. */
  hideEnvironment(environment: Readonly<Record<string, string | undefined>>): void {
    for (const [name, value] of Object.entries(environment)) {
      if (SECRET_NAME.test(name) && value?.startsWith('arn:') === false) this.hide(value);
    }
  }

  masked(line: string): string {
    let masked = line;
    for (const value of this.#values) if (masked.includes(value)) masked = masked.replaceAll(value, MASK);
    return masked.includes('://') ? masked.replaceAll(IN_URL, `$1${MASK}@`).replaceAll(SLACK, `$1${MASK}`) : masked;
  }
}

const MASK = '***';
const LEAST_CHARACTERS = 6;
/** Not `…TOKENS`: that names a file of them. */
const SECRET_NAME = /(TOKEN(?!S)|SECRET|PASSWORD|API_?KEY|WEBHOOK|DATABASE_URL)/i;
/** `https://user:password@…` */
const IN_URL = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@"\\]+@/gi;
/** Whoever knows this address may write to the channel. */
const SLACK = /(hooks\.slack\.com\/)[^\s"\\]+/gi;

function encoded(value: string): string {
  try {
    return encodeURIComponent(value);
  } catch {
    return value;
  }
}
