import { type Parameters, type ParameterTexts, SECRET_PARAMETERS } from '../../../pipeline/parameters.ts';

export interface ProgramSetting {
  readonly mode: 'run' | 'replay';
  /** As the person gave them: the defaults are the job's. */
  readonly texts: ParameterTexts;
  /** The same, checked, with secrets in the place of their ARNs. */
  readonly parameters: Parameters;
  readonly parallelism: number;
  /** With `replay`. */
  readonly files?: { readonly companies: string; readonly jobs: string };
}

/** What the jar's main method is called with. It may hold secrets: for Flink's REST API only, never for a log. */
export function programArguments({ mode, texts, parameters, parallelism, files }: ProgramSetting): string[] {
  const { application } = parameters;
  const secrets = Object.entries(application).filter(([name, value]) => SECRET_PARAMETERS.has(name) && value !== '');
  const complete: ParameterTexts = {
    ...texts,
    ApplicationConfigProperties: {
      ...texts.ApplicationConfigProperties,
      ...Object.fromEntries(secrets.map(([name, value]) => [name, String(value)])),
    },
  };
  const groups = Object.entries(complete).map(([PropertyGroupId, PropertyMap]) => ({ PropertyGroupId, PropertyMap }));
  return [
    ...['--mode', mode],
    ...['--properties', JSON.stringify(groups)],
    ...['--parallelism', String(parallelism)],
    ...['--checkpoint-interval-ms', String(application['checkpoint.interval'])],
    ...(files === undefined ? [] : ['--companies', files.companies, '--jobs', files.jobs]),
  ];
}
