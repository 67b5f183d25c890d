import { type Command, InvalidArgumentError, Option } from 'commander';
import { messageOf, TenantAnalyticsError } from '../base/errors.ts';
import { LOG_LEVELS, type Log, type LogLevel, textLog } from '../observe/log.ts';
import type { Observation } from '../observe/observation.ts';
import { Secrets } from '../observe/secrets.ts';
import { warn } from './output.ts';
import { version } from './version.ts';

export interface ObservingOptions {
  readonly logFormat: 'text' | 'json';
  readonly logLevel: LogLevel;
  readonly traces: string;
  readonly traceRatio: number;
}

/** The options of a command that runs until it is stopped: how it is looked at meanwhile. */
export function withObserving(command: Command): Command {
  return command
    .addOption(
      new Option('--log-format <format>', 'of what it tells while it runs: text, or json: an object a line, on stderr')
        .env('LOG_FORMAT')
        .default('text')
        .argParser(oneOf(['text', 'json'])),
    )
    .addOption(
      new Option('--log-level <level>', 'debug (each record and call), info, warn or error')
        .env('LOG_LEVEL')
        .default('info')
        .argParser(oneOf(LOG_LEVELS)),
    )
    .addOption(
      new Option('--traces <url>', 'send OpenTelemetry traces to this collector (OTLP over HTTP); empty: none')
        .env('OTEL_EXPORTER_OTLP_ENDPOINT')
        .default(''),
    )
    .addOption(
      new Option('--trace-ratio <share>', 'of traces that are sent, 0 to 1')
        .env('OTEL_TRACES_SAMPLER_ARG')
        .default(1)
        .argParser(share),
    );
}

function oneOf(choices: readonly string[]): (text: string) => string {
  return (text) => {
    const value = text.toLowerCase();
    if (choices.includes(value)) return value;
    throw new InvalidArgumentError(`Expected one of ${choices.join(', ')}.`);
  };
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('Expected a number from 0 to 1.');
}

/** An error that was told already, in the log. */
export class ToldError extends Error {
  readonly exitCode: number;

  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
    this.exitCode = cause instanceof TenantAnalyticsError ? cause.exitCode : 1;
  }
}

/**
 * Runs a command while it is looked at as its options say. What a command was asked for stays on standard output; what it
 * tells beside that goes to `say`, or, as JSON, to standard error, its last error included.
 */
export async function observing(
  { logFormat, logLevel, traces, traceRatio }: ObservingOptions,
  work: (observation: Observation) => Promise<void>,
  say: (line: string) => void = warn,
): Promise<void> {
  const secrets = new Secrets();
  secrets.hideEnvironment(process.env);
  const isJson = logFormat === 'json';
  const log = isJson ? await toStandardError(logLevel, secrets) : textLog(logLevel, secrets, say);
  try {
    if (traces === '') return await work({ log, secrets });
    // Only now: most never need it.
    const { startTraces } = await import('../observe/trace-sdk.ts');
    const to = { url: traces, ratio: traceRatio, version: version(), now: Date.now, warn: log.warn };
    const tracing = startTraces(to);
    try {
      await work({ log, secrets, tracing });
    } finally {
      await tracing.stop();
    }
  } catch (error) {
    if (!isJson) throw error;
    const code = error instanceof TenantAnalyticsError ? error.code : 'UNEXPECTED';
    const stack = code === 'UNEXPECTED' && error instanceof Error ? error.stack : undefined;
    log.error(messageOf(error), { code, stack });
    throw new ToldError(error);
  }
}

async function toStandardError(level: LogLevel, secrets: Secrets): Promise<Log> {
  const { jsonLog } = await import('../observe/json-log.ts');
  return jsonLog(level, secrets, process.stderr);
}
