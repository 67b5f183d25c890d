import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import {
  GROUP_NAMES,
  groupsOf,
  type ParameterTexts,
  parameterNames,
  unknownParameter,
} from '../../pipeline/parameters.ts';

const ENVIRONMENT_PREFIX = 'TENANT_ANALYTICS_';

/** The shape of the managed service's `application_properties.json`. */
const propertyFile = z.array(
  z.object({ PropertyGroupId: z.string(), PropertyMap: z.record(z.string(), z.string()) }).strict(),
);

export interface ParameterSources {
  /** Path of an `application_properties.json`. */
  readonly properties?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `name=value`, or `group.name=value` for a name that two groups share. */
  readonly settings: readonly string[];
}

/** Collects parameter texts; a setting stands over the environment, and that over the file. */
export async function collectParameters(sources: ParameterSources): Promise<ParameterTexts> {
  const texts =
    sources.properties === undefined
      ? emptyTexts<Record<string, string>>()
      : await readPropertyFile(sources.properties);
  for (const name of parameterNames()) {
    const value = sources.environment[environmentName(name)];
    if (value !== undefined) for (const group of groupsOf(name)) put(texts, group, name, value);
  }
  refuseUnknownEnvironment(sources.environment);
  for (const setting of sources.settings) applySetting(texts, setting, '--set');
  return texts;
}

/** The texts with settings over them. `flag`: what they were given by, for errors. */
export function withSettings(base: ParameterTexts, settings: readonly string[], flag: string): ParameterTexts {
  const texts: Texts = emptyTexts();
  for (const [group, values] of Object.entries(base)) {
    for (const [name, value] of Object.entries(values ?? {})) put(texts, group, name, value);
  }
  for (const setting of settings) applySetting(texts, setting, flag);
  return texts;
}

/** `predictChurnApiKey` → `TENANT_ANALYTICS_PREDICT_CHURN_API_KEY`. */
export function environmentName(parameter: string): string {
  const words = parameter.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll(/[^A-Za-z0-9]+/g, '_');
  return ENVIRONMENT_PREFIX + words.toUpperCase();
}

function refuseUnknownEnvironment(environment: Readonly<Record<string, string | undefined>>): void {
  const known = new Set(parameterNames().map(environmentName));
  for (const name of Object.keys(environment)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX) || known.has(name)) continue;
    throw new TenantAnalyticsError(
      'PARAMETER_UNKNOWN',
      `The environment has ${name}, which is no parameter; parameters are named like ${environmentName('S3SinkPath')}.`,
    );
  }
}

type Texts = Record<string, Record<string, string>>;

/** Without a prototype: a group or a name from a file may be called anything. */
function emptyTexts<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

async function readPropertyFile(path: string): Promise<Texts> {
  const refuse = (why: string, cause?: unknown) =>
    new TenantAnalyticsError(
      'PARAMETER_INVALID',
      `${path}: expected [{"PropertyGroupId": "…", "PropertyMap": {"name": "value"}}], ${why}.`,
      { cause },
    );
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw refuse(messageOf(error), error);
  });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw refuse('got text that is not JSON'); // the parser's own message would quote the file, and it may hold a key
  }
  const checked = propertyFile.safeParse(parsed);
  if (!checked.success) {
    throw refuse(checked.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
  }
  const texts: Texts = emptyTexts();
  for (const { PropertyGroupId, PropertyMap } of checked.data) {
    for (const [name, value] of Object.entries(PropertyMap)) put(texts, PropertyGroupId, name, value);
  }
  return texts;
}

function applySetting(texts: Texts, setting: string, flag: string): void {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(setting) ?? [];
  if (key === undefined || value === undefined) {
    throw new TenantAnalyticsError('USAGE', `${flag}: expected name=value, got ${JSON.stringify(setting)}.`);
  }
  const group = GROUP_NAMES.find((name) => key.startsWith(`${name}.`));
  if (group !== undefined) {
    put(texts, group, key.slice(group.length + 1), value);
    return;
  }
  const groups = groupsOf(key);
  if (groups.length === 0) throw unknownParameter(key);
  for (const name of groups) put(texts, name, key, value);
}

function put(texts: Texts, group: string, name: string, value: string): void {
  const values = texts[group] ?? emptyTexts<string>();
  values[name] = value;
  texts[group] = values;
}
