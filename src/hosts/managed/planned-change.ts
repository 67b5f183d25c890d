import { TenantAnalyticsError } from '../../base/errors.ts';
import {
  GROUP_NAMES,
  groupsOf,
  type ParameterTexts,
  readParameters,
  unknownParameter,
} from '../../pipeline/parameters.ts';
import { type PropertyGroups, textsOf } from '../flink/describe.ts';
import { withSettings } from '../node/properties.ts';
import { fixedDifferences, fixedOf } from '../node/run-identity.ts';
import type { ManagedApplication } from './application.ts';
import { differentProperties, propertyGroups } from './properties.ts';
import { type Change, type CodePlace, uriOf } from './requests.ts';

/** What a person asks to be changed. */
export interface UpdateSetting {
  readonly code: CodePlace | undefined;
  /** `group.name=value`, or `name=value`. */
  readonly settings: readonly string[];
  /** `group.name`, or `name`: back to the default. */
  readonly removals: readonly string[];
  readonly parallelism: number | undefined;
  readonly allowNonRestoredState: boolean;
}

export interface PlannedChange {
  readonly change: Change;
  /** What undoes it. */
  readonly inverse: Change;
  /** The code and the properties as they will be. */
  readonly code: CodePlace | undefined;
  readonly properties: PropertyGroups;
  /** Of parameters that state depends on. */
  readonly ofState: readonly string[];
  readonly told: readonly string[];
}

/**
 * What is to be changed of the application as it is; undefined when all is as asked for.
 * @throws TenantAnalyticsError PARAMETER_UNKNOWN, PARAMETER_INVALID, PARAMETER_MISSING
 */
export function planChange(there: ManagedApplication, setting: UpdateSetting): PlannedChange | undefined {
  const { code, parallelism } = setting;
  const isNewCode = code !== undefined && (there.code === undefined || uriOf(there.code) !== uriOf(code));
  const isNewParallelism = parallelism !== undefined && parallelism !== there.parallelism;
  const properties = changedProperties(there, setting);
  const differences = differentProperties(there.properties, properties);
  const told = [
    ...(isNewCode ? [`code: ${uriOf(code)}`] : []),
    ...(isNewParallelism ? [`parallelism: ${there.parallelism}, now ${parallelism}`] : []),
    ...differences.map((line) => line.replace(/, and (.*) was asked for$/s, ', now $1')),
  ];
  if (told.length === 0) return undefined;
  const hasNewProperties = differences.length > 0;
  return {
    change: {
      ...(isNewCode ? { code } : {}),
      ...(isNewParallelism ? { parallelism } : {}),
      ...(hasNewProperties ? { properties } : {}),
    },
    inverse: {
      ...(isNewCode && there.code !== undefined ? { code: there.code } : {}),
      ...(isNewParallelism ? { parallelism: there.parallelism } : {}),
      ...(hasNewProperties ? { properties: there.properties } : {}),
    },
    code: isNewCode ? code : there.code,
    properties,
    ofState: hasNewProperties ? stateDifferences(there.properties, properties) : [],
    told,
  };
}

function stateDifferences(there: PropertyGroups, wanted: PropertyGroups): string[] {
  const asked = readParameters(textsOf(wanted));
  try {
    return fixedDifferences(fixedOf(asked), fixedOf(readParameters(textsOf(there))));
  } catch (error) {
    // Properties that our reader refuses have not made any state of ours.
    if (error instanceof TenantAnalyticsError) return [];
    throw error;
  }
}

function changedProperties(there: ManagedApplication, { settings, removals }: UpdateSetting): PropertyGroups {
  if (settings.length === 0 && removals.length === 0) return there.properties;
  const region = there.arn.split(':')[3] ?? '';
  const texts = withSettings(textsOf(there.properties), settings, '--property');
  return propertyGroups(removals.reduce(without, texts), region);
}

function without(texts: ParameterTexts, removal: string): ParameterTexts {
  const named = GROUP_NAMES.find((group) => removal.startsWith(`${group}.`));
  const name = named === undefined ? removal : removal.slice(named.length + 1);
  if (name === '') throw new TenantAnalyticsError('USAGE', '--remove-property: expected a name, got none.');
  const groups = named === undefined ? groupsOf(name) : [named];
  if (!groupsOf(name).some((group) => groups.includes(group))) throw unknownParameter(name, named);
  return Object.fromEntries(
    Object.entries(texts).map(([group, values]) => [
      group,
      groups.some((each) => each === group)
        ? Object.fromEntries(Object.entries(values ?? {}).filter(([each]) => each !== name))
        : values,
    ]),
  );
}
