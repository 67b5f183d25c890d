import { type Command, Option } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { collectParameters } from '../hosts/node/properties.ts';
import { duration } from '../pipeline/parameter-values.ts';
import { describeParameters, type GroupName, type ParameterTexts } from '../pipeline/parameters.ts';

export interface ParameterOptions {
  readonly set: string[];
  readonly properties?: string;
}

/** Adds the options by which any command takes parameters. */
export function withParameters(command: Command): Command {
  return command
    .option('--set <name=value>', 'set a parameter; again for more', (value, all: string[]) => [...all, value], [])
    .option(
      '--properties <file>',
      "parameters from a file in the shape of the managed service's application_properties.json",
    );
}

export interface HostOptions {
  readonly host: 'node' | 'flink';
}

export function hostOption(): Option {
  return new Option('--host <host>', 'which host runs the graph').choices(['node', 'flink']).default('node');
}

/** @throws TenantAnalyticsError USAGE */
export function portOf(text: string, flag: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new TenantAnalyticsError('USAGE', `${flag}: expected a port from 0 to 65535, got ${text}.`);
}

/** @throws TenantAnalyticsError USAGE */
export function numberOf(text: string, flag: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  throw new TenantAnalyticsError('USAGE', `${flag}: expected a number from ${least} to ${most}, got ${text}.`);
}

/** @throws TenantAnalyticsError USAGE */
export function wholeOf(text: string, flag: string, most: number): number {
  if (/^\d+$/.test(text) && Number(text) <= most) return Number(text);
  throw new TenantAnalyticsError('USAGE', `${flag}: expected a whole number from 0 to ${most}, got ${text}.`);
}

/** In milliseconds, from `30 s`, `5 min`, `1 d` or bare milliseconds. @throws TenantAnalyticsError USAGE */
export function durationOf(text: string, flag: string, leastMs: number, mostMs: number): number {
  const parsed = duration.safeParse(text);
  if (parsed.success && parsed.data >= leastMs && parsed.data <= mostMs) return parsed.data;
  throw new TenantAnalyticsError(
    'USAGE',
    `${flag}: expected a duration such as 500 ms, 30 s, 5 min, 1 h or 2 d, from ${leastMs} to ${mostMs} ms, got ${text}.`,
  );
}

export function readTexts({ set, properties }: ParameterOptions): Promise<ParameterTexts> {
  return collectParameters({ properties, environment: process.env, settings: set });
}

/** The parameters of some groups, for `--help`. */
export function parameterHelp(groups: readonly GroupName[]): string {
  const rows = describeParameters()
    .filter(({ group }) => groups.includes(group))
    .map(({ name, byDefault, about }) => `  ${name.padEnd(33)} ${byDefault.padEnd(17)} ${about}`);
  return `Parameters (also as environment, S3SinkFormat as TENANT_ANALYTICS_S3_SINK_FORMAT), with their defaults; durations and
sizes are in milliseconds and bytes, and can be given as 5 min or 64 MiB:
${rows.join('\n')}`;
}
