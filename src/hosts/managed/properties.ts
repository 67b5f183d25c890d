import { TenantAnalyticsError } from '../../base/errors.ts';
import { type GroupName, type ParameterTexts, readParameters, SECRET_PARAMETERS } from '../../pipeline/parameters.ts';
import type { PropertyGroups } from '../flink/describe.ts';

/** What the managed service takes of a property's name and value. */
const MOST_CHARACTERS = 2048;
const REGIONAL: readonly GroupName[] = ['ConsumerConfigProperties', 'ProducerConfigProperties'];

/**
 * The runtime properties of an application: the texts that were given, checked by the application's own reader and by what the
 * service takes. A text that is empty is left out, as the service takes none; `aws.region` is the application's unless given.
 * @throws TenantAnalyticsError PARAMETER_UNKNOWN, PARAMETER_INVALID or PARAMETER_MISSING, naming the parameter; never a secret
 */
export function propertyGroups(texts: ParameterTexts, region: string): PropertyGroups {
  const { application } = readParameters(texts);
  for (const name of ['S3SinkPath', 'deadLetterPath'] as const) {
    const path = application[name];
    if (path !== '' && !path.startsWith('s3://')) {
      throw invalid(`${name}: expected s3://bucket/prefix on the managed service, which keeps no files, got ${path}.`);
    }
  }
  const groups: Record<string, Record<string, string>> = {};
  for (const group of REGIONAL) groups[group] = { 'aws.region': region };
  for (const [group, values] of Object.entries(texts)) {
    for (const [name, value] of Object.entries(values ?? {})) {
      if (value === '') continue;
      refuseSecret(name, value);
      if (value.length > MOST_CHARACTERS) {
        throw invalid(`${name}: expected at most ${MOST_CHARACTERS} characters, got ${value.length}.`);
      }
      groups[group] = { ...groups[group], [name]: value };
    }
  }
  return Object.entries(groups).map(([PropertyGroupId, PropertyMap]) => ({ PropertyGroupId, PropertyMap }));
}

/** Whoever may describe the application reads its properties. */
function refuseSecret(name: string, value: string): void {
  if (!SECRET_PARAMETERS.has(name) || value.startsWith('arn:')) return;
  throw invalid(
    `${name}: expected the ARN of a secret, got the secret itself, which everybody who may look at the application would read. Store it, aws secretsmanager create-secret --name NAME --secret-string file://FILE, and give its ARN.`,
  );
}

function invalid(message: string): TenantAnalyticsError {
  return new TenantAnalyticsError('PARAMETER_INVALID', message);
}

/** Texts by `group.name`, in one order: for comparing. */
export function flatProperties(groups: PropertyGroups): ReadonlyMap<string, string> {
  const entries = groups.flatMap(({ PropertyGroupId, PropertyMap }) =>
    Object.entries(PropertyMap).map(([name, value]): [string, string] => [`${PropertyGroupId}.${name}`, value]),
  );
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A value as it may be shown: an application of another maker can hold a secret itself. `path` is `group.name`, or a name. */
export function shownValue(path: string, value = 'none'): string {
  const name = path.slice(path.indexOf('.') + 1);
  const isSecret = SECRET_PARAMETERS.has(name) && value !== 'none' && !value.startsWith('arn:');
  return isSecret ? '(a secret, not shown)' : value;
}

/** What is different between two, as lines: `ApplicationConfigProperties.S3SinkFormat: json, and csv was asked for`. */
export function differentProperties(there: PropertyGroups, wanted: PropertyGroups): string[] {
  const [now, then] = [flatProperties(there), flatProperties(wanted)];
  return [...new Set([...now.keys(), ...then.keys()])]
    .filter((name) => now.get(name) !== then.get(name))
    .map(
      (name) => `${name}: ${shownValue(name, now.get(name))}, and ${shownValue(name, then.get(name))} was asked for`,
    );
}
