import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const ROLLING = fileURLToPath(new URL('../../../conformance/rolling/', import.meta.url));

/** The canonical rows of the conformance data, and the files that they come of. */
export const conformance = {
  companies: `${ROLLING}companies.jsonl`,
  jobs: `${ROLLING}jobs.jsonl`,
  expected: () => readFile(`${ROLLING}expected-dated.csv`, 'utf8'),
};

/** Property groups as the managed service has them, as JSON. */
export function propertyGroups(
  application: Readonly<Record<string, string>>,
  consumer: Readonly<Record<string, string>> = {},
): string {
  return JSON.stringify([
    { PropertyGroupId: 'ConsumerConfigProperties', PropertyMap: consumer },
    { PropertyGroupId: 'ApplicationConfigProperties', PropertyMap: application },
  ]);
}

/** Arguments of the main method for a replay of the conformance data into a folder. */
export function replayArguments(output: string, settings: Readonly<Record<string, string>> = {}): string[] {
  const application = { S3SinkPath: `file://${output}`, enrichment: 'join', scoring: 'off', ...settings };
  return [
    ...['--mode', 'replay', '--properties', propertyGroups(application)],
    ...['--companies', conformance.companies, '--jobs', conformance.jobs],
    ...['--parallelism', '2', '--checkpoint-interval-ms', '500'],
  ];
}
