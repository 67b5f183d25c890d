import type { Parameters, ParameterTexts } from '../../../pipeline/parameters.ts';

export interface ProgramSetting {
  readonly mode: 'run' | 'replay';
  /**
   * As the person gave them: the defaults are the job's, and a secret that is named by its ARN is read by the operator that
   * needs it, so that it is in no job graph.
   */
  readonly texts: ParameterTexts;
  /** The same, checked. */
  readonly parameters: Parameters;
  readonly parallelism: number;
  /** With `replay`. */
  readonly files?: { readonly companies: string; readonly jobs: string };
}

/** What the jar's main method is called with. It may hold secrets: for Flink's REST API only, never for a log. */
export function programArguments({ mode, texts, parameters, parallelism, files }: ProgramSetting): string[] {
  const groups = Object.entries(texts).map(([PropertyGroupId, PropertyMap]) => ({ PropertyGroupId, PropertyMap }));
  return [
    ...['--mode', mode],
    ...['--properties', JSON.stringify(groups)],
    ...['--parallelism', String(parallelism)],
    ...['--checkpoint-interval-ms', String(parameters.application['checkpoint.interval'])],
    ...(files === undefined ? [] : ['--companies', files.companies, '--jobs', files.jobs]),
  ];
}
