import { pino } from 'pino';
import { type Log, type LogLevel, NEVER_TOLD } from './log.ts';
import type { Secrets } from './secrets.ts';

/** JSON, one object a line: `time` (ISO 8601), `level`, `part`, `msg`, and the fields. */
export function jsonLog(level: LogLevel, secrets: Secrets, to: { write(line: string): void }): Log {
  const root = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: NEVER_TOLD.map((name) => `["${name}"]`), censor: '***' },
      hooks: { streamWrite: (line) => secrets.masked(line) },
    },
    { write: (line: string) => to.write(line) },
  );
  return ofPino(root);
}

function ofPino(logger: pino.Logger): Log {
  const isDebug = logger.isLevelEnabled('debug');
  return {
    isDebug,
    debug: (message, fields = {}) => logger.debug(fields, message),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
    of: (part) => ofPino(logger.child({ part })),
  };
}
