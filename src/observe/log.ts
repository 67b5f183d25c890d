import type { Secrets } from './secrets.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Beside the message: what a machine looks for. No secrets; of persons nothing but companyID and eventID. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * What a program tells while it runs. At `info` and above that is a few lines a minute; what is told of single records and
 * calls is `debug`.
 */
export interface Log {
  /** Ask before something is made for `debug` alone. */
  readonly isDebug: boolean;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log, its lines marked as told by this part of the program. */
  of(part: string): Log;
}

/** Fields of these names are never told, should one be logged by mistake; values are masked besides. */
export const NEVER_TOLD = ['authorization', 'token', 'apiKey', 'x-api-key', 'password', 'secret', 'webhook'];

/** For a person: the message as it is; a line of `debug` with its fields. */
export function textLog(level: LogLevel, secrets: Secrets, say: (line: string) => void, part = ''): Log {
  const least = LOG_LEVELS.indexOf(level);
  const at = (of: LogLevel, line: (message: string, fields: LogFields) => string) =>
    LOG_LEVELS.indexOf(of) < least
      ? () => undefined
      : (message: string, fields: LogFields = {}) => say(secrets.masked(line(message, fields)));
  const plain = (message: string) => message;
  return {
    isDebug: level === 'debug',
    debug: at('debug', (message, fields) => `debug ${part === '' ? '' : `${part}: `}${message}${fieldsText(fields)}`),
    info: at('info', plain),
    warn: at('warn', plain),
    error: at('error', plain),
    of: (name) => textLog(level, secrets, say, name),
  };
}

function fieldsText(fields: LogFields): string {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  const shown = known.map(([name, value]) => `${name}=${NEVER_TOLD.includes(name) ? '***' : value}`);
  return shown.length === 0 ? '' : ` ${shown.join(' ').replaceAll(/[\r\n]+/g, ' ')}`;
}

export const NO_LOG: Log = {
  isDebug: false,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  of: () => NO_LOG,
};
