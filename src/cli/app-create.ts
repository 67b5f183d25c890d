import { Command, Option } from 'commander';
import { NAMES } from '../hosts/managed/names.ts';
import {
  type AppOptions,
  type CodeOptions,
  codeOf,
  operating,
  packageOf,
  placeOf,
  printJson,
  putCode,
  type WantedOptions,
  wantedOf,
  withApp,
  withCode,
  withJar,
  withWanted,
} from './app-options.ts';
import { parameterHelp, readTexts } from './options.ts';

/** What CloudWatch takes for PutRetentionPolicy, by its API reference. */
const RETENTION_DAYS = [
  ...['1', '3', '5', '7', '14', '30', '60', '90', '120', '150', '180', '365', '400', '545'],
  ...['731', '1096', '1827', '2192', '2557', '2922', '3288', '3653'],
];

export function packageCommand(): Command {
  return withJar(new Command('package'))
    .description('the application as one jar, with its checksum beside it (.sha256); built when needed')
    .option('--json', 'as JSON')
    .action(runPackage);
}

async function runPackage({ jar, json }: { readonly jar?: string; readonly json?: true }): Promise<void> {
  const code = await packageOf(jar);
  const { megabytes, writeChecksum } = await import('../hosts/managed/code.ts');
  const checksumFile = await writeChecksum(code);
  if (json) return printJson({ ...code, checksumFile });
  process.stdout.write(`${code.path}, ${megabytes(code.bytes)}\nSHA-256 ${code.sha256}, in ${checksumFile}\n`);
}

export function uploadCommand(): Command {
  return withJar(withApp(new Command('upload')))
    .description('put the jar into its bucket, unless it is there with the same checksum')
    .requiredOption('--bucket <name>', 'a bucket that is there')
    .option('--folder <name>', 'in the bucket', NAMES.codeFolder)
    .option(
      '--name <name>',
      'of the object; its default holds the checksum, so that no version takes the place of another',
    )
    .option('--json', 'as JSON')
    .action(runUpload);
}

interface UploadOptions extends AppOptions {
  readonly bucket: string;
  readonly folder: string;
  readonly name?: string;
  readonly jar?: string;
  readonly json?: true;
}

async function runUpload(options: UploadOptions): Promise<void> {
  const code = await packageOf(options.jar);
  const place = await placeOf(code, options.bucket, options.folder, options.name);
  await operating(options, async (operator) => {
    if (!options.json) return putCode(operator, code, place);
    const { uploadCode } = await import('../hosts/managed/code.ts');
    const sent = await uploadCode(operator, code, place);
    return printJson({ uri: `s3://${place.bucket}/${place.key}`, bytes: code.bytes, sha256: code.sha256, sent });
  });
}

export function createCommand(): Command {
  return withWanted(withCode(withApp(new Command('create'))))
    .description('make role, policy, log and application, each unless it is there')
    .addOption(
      new Option('--log-retention <days>', 'how long a log group that is made keeps its lines')
        .choices(RETENTION_DAYS)
        .default('30'),
    )
    .addHelpText(
      'after',
      `
The role ${NAMES.role} and its policy ${NAMES.policy} allow what the application does with the streams, buckets and secrets that its
parameters name, and no more. Parameters are checked as the application checks them; aws.region is --region unless given. Secrets
are given as ARNs of Secrets Manager. An application that is there and not as asked for is left as it is: see app update.

Example:
  tenant-analytics app create --bucket my-bucket --parallelism 2 --properties application_properties.json

${parameterHelp(['ConsumerConfigProperties', 'ProducerConfigProperties', 'ApplicationConfigProperties'])}`,
    )
    .action(runCreate);
}

async function runCreate(
  options: AppOptions & CodeOptions & WantedOptions & { readonly logRetention: string },
): Promise<void> {
  const { propertyGroups } = await import('../hosts/managed/properties.ts');
  const wanted = wantedOf(options);
  const properties = propertyGroups(await readTexts(options), options.region);
  const logRetentionDays = Number(options.logRetention);
  await operating(options, async (operator) => {
    const { createApplication } = await import('../hosts/managed/create.ts');
    const code = await codeOf(options, operator);
    await createApplication(operator, { ...wanted, code, properties, logRetentionDays });
  });
}
