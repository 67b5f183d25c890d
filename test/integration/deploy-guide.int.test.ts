import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Ministack, missingForMinistack, startMinistack } from '../support/ministack.ts';

// Theorem: docs/deploy.md does not lie. Both columns of its table, as they stand there, bring an application from nothing to its
// end: ours through the real program, the other through the real AWS CLI with the request files that the program writes.

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Thirty programs one after the other, on a machine that may be busy. */
const RUN_MS = 300_000;
const missing = missingForMinistack();
const guide = await readFile(`${ROOT}docs/deploy.md`, 'utf8');

interface Row {
  readonly step: string;
  readonly ours: readonly string[];
  readonly aws: readonly string[];
}

const commandsOf = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, command = '']) => command);

function rowsOf(text: string): Row[] {
  const table = text.slice(text.indexOf('| Step |')).split('\n\n')[0] ?? '';
  return table
    .split('\n')
    .slice(2)
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, step = '', ours, aws]) => ({ step, ours: commandsOf(ours), aws: commandsOf(aws) }));
}

const blockOf = (language: string) =>
  (new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(guide)?.[1] ?? '').replaceAll(/^ {2}/gm, '');

const rows = rowsOf(guide);

test('the guide has a row for each command of the first version, and its parameters are not only there to be looked at', () => {
  expect(rows.map(({ step }) => step)).toEqual(
    expect.arrayContaining([
      ...['Create the role', 'Put the policy', 'Build', 'Upload', 'Create', 'Start', 'Send data', 'Update the code'],
      ...['Stop', 'Describe', 'Delete', 'Clean up'],
    ]),
  );
  expect(rows.filter(({ aws }) => aws.length === 0)).toEqual([]);
  expect(JSON.parse(blockOf('json'))).toHaveLength(1);
});

describe.skipIf(missing !== null && process.env.CI !== 'true')(
  `the guide, run against AWS on this machine${missing === null ? '' : `: needs ${missing}`}`,
  () => {
    let ministack: Ministack;
    let folder: string;

    // One for each test, and each try of it: what a guide makes is in the way of the next one.
    beforeEach(async () => {
      ministack = await startMinistack();
      folder = await mkdtemp(join(tmpdir(), 'deploy-guide-'));
      await mkdir(join(folder, 'bin'));
      // The program and the AWS CLI by their names. The jar takes a minute to build: any file stands for it. `send` finds a
      // Kinesis of one's own by its option.
      const jar = join(folder, 'tenant-analytics-flink.jar');
      await writeFile(jar, 'not a jar, but a file with a checksum');
      await shim('aws', `exec "${ministack.python}" -m awscli "$@"`);
      await shim('npm', `mkdir -p dist/flink && cp "${jar}" dist/flink/`);
      await shim(
        'npx',
        `shift
case "$1 $2 $*" in
  send*) set -- "$@" --endpoint "$AWS_ENDPOINT_URL" ;;
  "app package "* | "app upload "* | "app create "* | "app update "*--code*) set -- "$@" --jar "${jar}" ;;
esac
exec "${process.execPath}" "${ROOT}bin/tenant-analytics.js" "$@"`,
      );
      await writeFile(join(folder, 'application_properties.json'), blockOf('json'));
      await bash(blockOf('sh'));
    }, 180_000);

    afterEach(async () => {
      await ministack?.stop();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    async function shim(name: string, body: string): Promise<void> {
      const path = join(folder, 'bin', name);
      await writeFile(path, `#!/usr/bin/env bash\n${body}\n`);
      await chmod(path, 0o755);
    }

    /** Its standard output; anything that ends with another code than 0 ends the test. */
    async function bash(script: string): Promise<string> {
      const env = { ...process.env, ...ministack.environment, PATH: `${folder}/bin:${process.env.PATH}` };
      const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
        cwd: folder,
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let [out, err] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        err += text;
      });
      const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
      if (code !== 0) throw new Error(`expected exit code 0, got ${code}, of: ${script}\n${out}\n${err.slice(-3000)}`);
      return out;
    }

    async function runColumn(column: 'ours' | 'aws'): Promise<Record<string, string>> {
      const answers: Record<string, string> = {};
      for (const row of rows) {
        for (const command of row[column]) answers[row.step] = await bash(command);
      }
      return answers;
    }

    const left = () =>
      bash(`aws iam list-roles --query 'Roles[].RoleName' --output text
aws logs describe-log-groups --query 'logGroups[].logGroupName' --output text
aws s3 ls s3://my-bucket --recursive`);

    test(
      'with our commands, from nothing to its end',
      async () => {
        const said = await runColumn('ours');
        expect(said.Create).toMatch(/Made the role CompanyAnalyticsRole\.\nMade the policy.*Made the application/s);
        expect(said.Start).toMatch(/^Started CompanyJobProcessing, version 1/);
        expect(said.Describe).toMatch(/status +RUNNING\n/);
        expect(said['Send data']).toBe('Sent 1 to bigdatajobs.\n');
        expect(said['Update parameters']).toMatch(
          /score\.concurrency: none, now 200\nCompanyJobProcessing runs as version 2/,
        );
        expect(said['Update the parallelism']).toMatch(/runs as version 3/);
        expect(said['Update the code']).toMatch(/is so already, version 3/);
        expect(said['Start from a snapshot']).toMatch(/from the snapshot before-upgrade/);
        expect(said.Delete).toBe('Deleted CompanyJobProcessing and its snapshots.\n');
        expect((await left()).trim()).toBe('');
      },
      RUN_MS,
    );

    test(
      'with the AWS CLI and the request files, from nothing to its end',
      async () => {
        const said = await runColumn('aws');
        expect(JSON.parse(said.Create ?? '')).toMatchObject({ ApplicationDetail: { ApplicationVersionId: 1 } });
        expect(said.Describe).toBe('"RUNNING"\n');
        expect(said.Stop).toBe('"READY"\n');
        expect(said['Start from a snapshot']).toBe('"RUNNING"\n');
        expect((await left()).trim()).toBe('');
      },
      RUN_MS,
    );
  },
);
