import { access, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from './folders.ts';
import { input } from './inputs.ts';
import { completeReplay, oneLine, run, runCommand } from './program.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COMPANIES = `${ROOT}conformance/rolling/companies.jsonl`;
const JOBS = `${ROOT}conformance/rolling/jobs.jsonl`;
const OFFLINE = ['--set', 'enrichment=join', '--set', 'scoring=off'];

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(`${folder}/no-count.csv`, 'company_id,userid\ncomp_1,user_1\n');
  await writeFile(`${folder}/no-fee.csv`, 'Company,Industry,Revenue,Employees,#job30,#job90,MonthlyCharge\n');
  await writeFile(`${folder}/jobs.jsonl`, '');
  await writeFile(`${folder}/jobs.jsonl.gz`, Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1));
  await writeFile(`${folder}/properties.json`, '{"PropertyGroupId":"ApplicationConfigProperties"}');
});

/** The words of a replay that would run, but for those given. */
const replay = (
  {
    companies = COMPANIES,
    jobs = JOBS,
    settings = OFFLINE,
  }: { companies?: string; jobs?: string; settings?: string[] },
  ...more: string[]
) => ['replay', '--companies', companies, '--jobs', jobs, '--output', `${folder}/out`, ...settings, ...more];
const withSetting = (setting: string) => replay({}, '--set', setting);

describe('a wrong command ends with 2, says what is right in one line, and makes no output:', () => {
  test.each<[string, () => string[], RegExp]>([
    [
      'a parameter of another name',
      () => withSetting('S3SinkFromat=csv'),
      /S3SinkFromat; did you mean S3SinkFormat\?.*\[PARAMETER_UNKNOWN\]$/,
    ],
    [
      'a parameter of no name',
      () => withSetting('what.is.this.at.all=1'),
      /what\.is\.this\.at\.all; known are aws\.region, .*\[PARAMETER_UNKNOWN\]$/,
    ],
    [
      'a parameter of another group',
      () => withSetting('ProducerConfigProperties.scoring=off'),
      /scoring is not a parameter of ProducerConfigProperties, but of ApplicationConfigProperties\. \[PARAMETER_UNKNOWN\]$/,
    ],
    ['a setting without value', () => withSetting('scoring'), /--set: expected name=value, got "scoring"\. \[USAGE\]$/],
    [
      'a bad choice',
      () => withSetting('S3SinkFormat=xml'),
      /S3SinkFormat: expected json or csv, got "xml" .*\[PARAMETER_INVALID\]$/,
    ],
    [
      'a bad size',
      () => withSetting('sink.roll.size=large'),
      /sink\.roll\.size: expected a size such as .*, got "large" .*\[PARAMETER_INVALID\]$/,
    ],
    [
      'a bad duration',
      () => withSetting('checkpoint.interval=soon'),
      /checkpoint\.interval: expected a duration such as .*, got "soon" .*\[PARAMETER_INVALID\]$/,
    ],
    ['a bad URL', () => withSetting('s3.endpoint=localhost'), /s3\.endpoint: expected a URL .*\[PARAMETER_INVALID\]$/],
    [
      'AggregationEnabled',
      () => withSetting('AggregationEnabled=true'),
      /AggregationEnabled: expected false.*\[PARAMETER_INVALID\]$/,
    ],
    [
      'scoring without endpoint',
      () => replay({ settings: ['--set', 'enrichment=join'] }),
      /predictChurnApiEndpoint is required with scoring=on.*scoring=off.*\[PARAMETER_MISSING\]$/,
    ],
    [
      'lookups without endpoint',
      () => replay({ settings: ['--set', 'scoring=off'] }),
      /tenantManagerEndpoint is required with enrichment=lookup.*enrichment=join.*\[PARAMETER_MISSING\]$/,
    ],
    [
      'a file of jobs that is not there',
      () => replay({ jobs: 'no-such.jsonl' }),
      /Cannot read no-such\.jsonl: .*no such file.*\[INPUT_UNREADABLE\]$/,
    ],
    [
      'a file of companies that is not there',
      () => replay({ companies: 'no-such.jsonl' }),
      /Cannot read no-such\.jsonl: .*no such file.*\[INPUT_UNREADABLE\]$/,
    ],
    [
      'a folder as input',
      () => replay({ jobs: folder }),
      /Cannot read .*: expected a file, got something else\. \[INPUT_UNREADABLE\]$/,
    ],
    [
      'a header without a column of jobs',
      () => replay({ jobs: `${folder}/no-count.csv` }),
      /no-count\.csv: .*no column for nbJobs .*company_id,userid\. \[INPUT_UNREADABLE\]$/,
    ],
    [
      'a header without a column of companies',
      () => replay({ companies: `${folder}/no-fee.csv` }),
      /no-fee\.csv: .*no column for totalFee .*\[INPUT_UNREADABLE\]$/,
    ],
    [
      'properties that are not there',
      () => replay({}, '--properties', 'no-such.json'),
      /no-such\.json: .*no such file.*\[PARAMETER_INVALID\]$/,
    ],
    [
      'properties of another shape',
      () => replay({}, '--properties', `${folder}/properties.json`),
      /properties\.json: expected \[\{"PropertyGroupId".*\[PARAMETER_INVALID\]$/,
    ],
    [
      'rows of a folder that is not there',
      () => ['canonical', `${folder}/none`],
      /Cannot read .*none: .*\[INPUT_UNREADABLE\]$/,
    ],
    [
      'dead letters of a folder that is not there',
      () => ['dead-letters', 'list', `${folder}/none`],
      /Cannot read .*none: .*\[INPUT_UNREADABLE\]$/,
    ],
    [
      'dead letters of a reason there is not',
      () => ['dead-letters', 'list', folder, '--reason', 'ugly'],
      /--reason: expected malformed, .*, got ugly\. \[USAGE\]$/,
    ],
    [
      'dead letters, a limit that is no number',
      () => ['dead-letters', 'list', folder, '--limit', 'few'],
      /--limit: expected a whole number, got few\. \[USAGE\]$/,
    ],
  ])('%s', async (_, words, message) => {
    const { code, stdout, stderr } = await run(...words());
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(oneLine(stderr)).toMatch(/^tenant-analytics: /);
    expect(oneLine(stderr)).toMatch(message);
    await expect(access(`${folder}/out`)).rejects.toThrow('ENOENT');
  });

  // The parser of words adds a hint of its own, on a line of its own.
  test.each<[string, () => string[], RegExp]>([
    ['a command of another name', () => ['replya'], /^error: unknown command 'replya'\n\(Did you mean replay\?\)/],
    [
      'a command below another',
      () => ['dead-letters', 'lst'],
      /^error: unknown command 'lst'\n\(Did you mean list\?\)/,
    ],
    [
      'an option of another name',
      () => replay({}, '--outptu', 'x'),
      /^error: unknown option '--outptu'\n\(Did you mean --output\?\)/,
    ],
    ['jobs twice', () => replay({}, '--jobs', COMPANIES), /^error: option '--jobs <file>' argument .* given twice/],
    [
      'two files of jobs',
      () => ['replay', '--companies', COMPANIES, '--jobs', JOBS, COMPANIES, '--output', `${folder}/out`, ...OFFLINE],
      /^error: too many arguments for 'replay'/,
    ],
    [
      'no output',
      () => ['replay', '--companies', COMPANIES, '--jobs', JOBS],
      /^error: required option '--output <dir>' not specified/,
    ],
    ['no folder', () => ['canonical'], /^error: missing required argument 'dir'/],
    ['two folders', () => ['canonical', folder, folder], /^error: too many arguments for 'canonical'/],
    [
      'a host there is not',
      () => replay({}, '--host', 'abacus'),
      /^error: option '--host <host>' argument 'abacus' is invalid\. Allowed choices are node/,
    ],
    ['no command', () => [], /^Usage: tenant-analytics /],
  ])('%s', async (_, words, message) => {
    const { code, stdout, stderr } = await run(...words());
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    await expect(access(`${folder}/out`)).rejects.toThrow('ENOENT');
  });
});

describe('what this version does not do yet is refused:', () => {
  const online = [
    '--set',
    'tenantManagerEndpoint=http://localhost',
    '--set',
    'predictChurnApiEndpoint=http://localhost',
  ];

  test.each<[string, () => string[], RegExp]>([
    ['dead letters in S3', () => withSetting('deadLetterPath=s3://bucket/letters'), /s3:\/\/bucket\/letters: /],
  ])('%s', async (_, words, message) => {
    const { code, stderr } = await run(...words());
    expect(code).toBe(2);
    expect(oneLine(stderr)).toMatch(message);
    expect(oneLine(stderr)).toMatch(/\[NOT_CONNECTED\]$/);
    expect(stderr).not.toContain('arn:aws');
    await expect(access(`${folder}/out`)).rejects.toThrow('ENOENT');
  });

  test.each(['predictChurnApiKey', 'tenantManagerToken'])(
    'a secret that cannot be read, named with its parameter: %s',
    async (name) => {
      const { code, stderr } = await run(...replay({ settings: online }, '--set', `${name}=arn:aws:secretsmanager:x`));
      expect(code).toBe(1);
      expect(oneLine(stderr)).toMatch(new RegExp(`${name}: .*\\[SECRET_UNREADABLE\\]$`));
      await expect(access(`${folder}/out`)).rejects.toThrow('ENOENT');
    },
  );
});

test('rows and dead letters in one folder are refused', async () => {
  const { code, stderr } = await run(...withSetting(`deadLetterPath=file://${folder}/out`));
  expect(code).toBe(2);
  expect(oneLine(stderr)).toMatch(/deadLetterPath: .*\[PARAMETER_INVALID\]$/);
  await expect(access(`${folder}/out`)).rejects.toThrow('ENOENT');
});

test('an output that is a file, or lies in one, is refused and left as it is', async () => {
  await writeFile(`${folder}/file`, 'content');
  for (const output of [`${folder}/file`, `${folder}/file/out`]) {
    const { code, stderr } = await run(
      'replay',
      '--companies',
      COMPANIES,
      '--jobs',
      JOBS,
      '--output',
      output,
      ...OFFLINE,
    );
    expect(code).toBe(2);
    expect(oneLine(stderr)).toMatch(/file.*: expected a folder, or nothing, got a file\. \[OUTPUT_OCCUPIED\]$/);
  }
  expect(await readFile(`${folder}/file`, 'utf8')).toBe('content');
});

describe('parameters come from a properties file, over it the environment, over that --set:', () => {
  const withEnvironment = (variables: string[], ...words: string[]) =>
    runCommand('env', ...variables, process.execPath, `${ROOT}bin/tenant-analytics.js`, ...words);

  test('each stands over the one before', async () => {
    const values = { enrichment: 'join', scoring: 'off', S3SinkFormat: 'csv', 'activity.decay': 'on' };
    const properties = [{ PropertyGroupId: 'ApplicationConfigProperties', PropertyMap: values }];
    await writeFile(`${folder}/application_properties.json`, JSON.stringify(properties));
    const files = ['--companies', COMPANIES, '--jobs', JOBS, '--output', `${folder}/parameters`];
    const { code } = await withEnvironment(
      ['TENANT_ANALYTICS_S3_SINK_FORMAT=json', 'TENANT_ANALYTICS_ACTIVITY_DECAY=off'],
      ...['replay', ...files, '--set', 'activity.decay=on'],
      ...['--properties', `${folder}/application_properties.json`],
    );
    expect(code).toBe(0);
    expect((await run('canonical', `${folder}/parameters`)).stdout).toMatch(/^decay,.*\njob,/s);
  });

  test('a variable that names no parameter is refused', async () => {
    const { code, stderr } = await withEnvironment(['TENANT_ANALYTICS_SCORNG=off'], ...replay({}));
    expect(code).toBe(2);
    expect(oneLine(stderr)).toMatch(/TENANT_ANALYTICS_SCORNG.*\[PARAMETER_UNKNOWN\]$/);
  });
});

test('a gzip file that breaks off ends a replay with 1 and its name', async () => {
  const { code, stderr } = await run(
    'replay',
    '--companies',
    COMPANIES,
    '--jobs',
    `${folder}/jobs.jsonl.gz`,
    '--output',
    `${folder}/torn`,
    ...OFFLINE,
  );
  expect(code).toBe(1);
  expect(oneLine(stderr)).toMatch(/jobs\.jsonl\.gz: expected a whole gzip file.*\[INPUT_CORRUPT\]$/);
});

test.each(['--debug replay', 'replay --debug'])('%s shows where an error comes from', async (words) => {
  const { code, stderr } = await run(...words.split(' '), ...replay({ jobs: 'no-such.jsonl' }).slice(1));
  expect(code).toBe(2);
  const [first, ...stack] = stderr.trimEnd().split('\n');
  expect(first).toMatch(/\[INPUT_UNREADABLE\]$/);
  expect(stack.filter((line) => /^ {4}at /.test(line)).length).toBeGreaterThan(2);
  expect(stack).toContainEqual(expect.stringMatching(/^Caused by: .*ENOENT/));
});

test.each([
  [['--help'], 'replay'],
  [['help'], 'replay'],
  [['replay', '--help'], 'checkpoint.interval'],
  [['help', 'replay'], 'checkpoint.interval'],
  [['canonical', '--help'], 'trigger,companyID,eventTime,userID,nbJobs,job30,job90,version'],
  [['dead-letters', '--help'], 'list'],
  [['dead-letters', 'list', '--help'], '--reason'],
])('%j ends with 0 and tells what there is', async (words, content) => {
  const { code, stdout, stderr } = await run(...words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^Usage: tenant-analytics /);
  expect(stdout).toContain(content);
});

test('--version ends with 0 and tells the version', async () => {
  expect(await run('--version')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    stderr: '',
  });
});

describe('rows by the megabyte', () => {
  let output: string;

  beforeAll(async () => {
    const made = input(61, { companies: 50, jobs: 30_000, days: 3, padding: 50 });
    await writeFile(`${folder}/many-companies.jsonl`, made.companies);
    await writeFile(`${folder}/many-jobs.jsonl`, made.jobs);
    output = `${folder}/many`;
    await completeReplay({ companies: `${folder}/many-companies.jsonl`, jobs: `${folder}/many-jobs.jsonl`, output });
  });

  const piped = (words: string, reader: string) =>
    runCommand(
      'bash',
      '-c',
      `"${process.execPath}" bin/tenant-analytics.js ${words} "${output}" | ${reader}; exit "\${PIPESTATUS[0]}"`,
    );

  test('are printed with nothing on stderr', async () => {
    const { code, stdout, stderr } = await piped('canonical', 'wc -l');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(Number(stdout)).toBeGreaterThan(29_000);
  });

  test.each(['canonical', 'dead-letters list --json'])(
    'may be printed to a reader that stops early: %s',
    async (command) => {
      const { code, stdout, stderr } = await piped(command, 'head -1');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^[^\n]+\n$/);
    },
  );
});
