import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { DescribeLogGroupsCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetRoleCommand, GetRolePolicyCommand } from '@aws-sdk/client-iam';
import { DescribeApplicationCommand, UpdateApplicationCommand } from '@aws-sdk/client-kinesis-analytics-v2';
import { CreateBucketCommand, GetObjectCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AwsClients, awsClients } from '../../src/hosts/managed/aws-clients.ts';
import { type Ministack, missingForMinistack, startMinistack } from '../support/ministack.ts';
import { type Ended, oneLine, run, runCommand, start } from './program.ts';

// The commands of `app`, through the real program, against AWS on this machine. They build on each other, as in life.

const missing = missingForMinistack();
const NAME = 'CompanyJobProcessing';
const GROUP = `/aws/kinesis-analytics/${NAME}`;
const SECRET = 'arn:aws:secretsmanager:us-west-2:000000000000:secret:churn-AbCdEf';

describe.skipIf(missing !== null && process.env.CI !== 'true')(
  `an application on the managed service${missing === null ? '' : `: needs ${missing}`}`,
  () => {
    let ministack: Ministack;
    let aws: AwsClients;
    let folder: string;
    let jar: string;

    beforeAll(async () => {
      ministack = await startMinistack();
      aws = awsClients('us-west-2', ministack.endpoint);
      folder = await mkdtemp(join(tmpdir(), 'app-lifecycle-'));
      jar = join(folder, 'analytics.jar');
      // More than two pieces of a multipart upload.
      await writeFile(jar, randomBytes(18_000_000));
      await aws.s3.send(new CreateBucketCommand({ Bucket: 'codes' }));
    }, 180_000);

    afterAll(async () => {
      await ministack?.stop();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    const app = (...words: readonly string[]): Promise<Ended> =>
      run('app', ...words, ...(words[0] === 'package' ? [] : ['--endpoint', ministack.endpoint]));

    /** What it tells, when it ends well. */
    async function done(...words: readonly string[]): Promise<string[]> {
      const { code, stdout, stderr } = await app(...words);
      if (code !== 0) throw new Error(`app ${words.join(' ')}: ${code}, ${stderr}`);
      return stdout.trimEnd().split('\n');
    }

    async function refused(...words: readonly string[]): Promise<string> {
      const { code, stderr } = await app(...words);
      return `${code} ${stderr.trimEnd().split('\n').at(-1)}`;
    }

    const detail = async () =>
      (await aws.analytics.send(new DescribeApplicationCommand({ ApplicationName: NAME }))).ApplicationDetail;
    const settings = (...more: readonly string[]) =>
      [
        ...[
          'S3SinkPath=s3://rows/enriched',
          'enrichment=join',
          'predictChurnApiEndpoint=https://churn.example.com/prod',
        ],
        ...[`predictChurnApiKey=${SECRET}#apiKey`, 'jobs.stream.consumer=EFO', ...more],
      ].flatMap((setting) => ['--set', setting]);
    const create = (...more: readonly string[]) => ['create', '--bucket', 'codes', '--jar', jar, ...more];

    test('package tells path, size and checksum, and writes the checksum beside it', async () => {
      const sha256 = createHash('sha256')
        .update(await readFile(jar))
        .digest('hex');
      expect(await done('package', '--jar', jar)).toEqual([`${jar}, 18 MB`, `SHA-256 ${sha256}, in ${jar}.sha256`]);
      expect(await readFile(`${jar}.sha256`, 'utf8')).toBe(`${sha256}  analytics.jar\n`);
      expect(await refused('package', '--jar', join(folder, 'none.jar'))).toMatch(/^2 .*ENOENT.*\[INPUT_UNREADABLE\]$/);
    });

    test('upload sends it in pieces with its checksum, whole, and not twice', async () => {
      const bytes = await readFile(jar);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const key = `churn/analytics-${sha256.slice(0, 12)}.jar`;
      expect(await done('upload', '--bucket', 'codes', '--jar', jar)).toEqual([`Uploaded s3://codes/${key}.`]);
      const object = await aws.s3.send(new GetObjectCommand({ Bucket: 'codes', Key: key, ChecksumMode: 'ENABLED' }));
      expect(Buffer.compare((await object.Body?.transformToByteArray()) ?? new Uint8Array(), bytes)).toBe(0);
      expect([object.Metadata?.sha256, object.ChecksumSHA256]).toEqual([sha256, expect.stringMatching(/=?-3$/)]);
      expect(await done('upload', '--bucket', 'codes', '--jar', jar)).toEqual([
        `s3://codes/${key} is there already, with the same checksum.`,
      ]);
      const json = JSON.parse((await done('upload', '--bucket', 'codes', '--jar', jar, '--json')).join('\n'));
      expect(json).toEqual({ uri: `s3://codes/${key}`, bytes: 18_000_000, sha256, sent: false });
      expect((await aws.s3.send(new ListMultipartUploadsCommand({ Bucket: 'codes' }))).Uploads ?? []).toEqual([]);
      expect(await refused('upload', '--bucket', 'nowhere', '--jar', jar)).toMatch(/NoSuchBucket.* Make the bucket/);
    });

    test('create refuses parameters that the application would refuse, and secrets, before anything is made', async () => {
      expect(await refused(...create('--set', 'S3SinkPth=s3://rows'))).toMatch(
        /^2 .*Unknown parameter S3SinkPth; did you mean S3SinkPath\? \[PARAMETER_UNKNOWN\]$/,
      );
      expect(await refused(...create(...settings('S3SinkPath=file:///rows')))).toMatch(
        /^2 .*s3:\/\/bucket\/prefix on the/,
      );
      const plain = await refused(...create(...settings('predictChurnApiKey=hunter2')));
      expect(plain).toMatch(/^2 .*predictChurnApiKey: expected the ARN of a secret.*\[PARAMETER_INVALID\]$/);
      expect(plain).not.toMatch(/hunter2/);
      await expect(aws.iam.send(new GetRoleCommand({ RoleName: 'CompanyAnalyticsRole' }))).rejects.toThrow();
    });

    test('create makes role, policy, log and application; called again it changes nothing and says so', async () => {
      const made = await done(...create(...settings()));
      expect(made.slice(1).map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
        ...['Made the role', 'Made the policy', 'Made the log', 'Made the application'],
      ]);
      const found = await detail();
      expect(found).toMatchObject({
        ApplicationStatus: 'READY',
        RuntimeEnvironment: 'FLINK-1_20',
        ServiceExecutionRole: 'arn:aws:iam::000000000000:role/CompanyAnalyticsRole',
        CloudWatchLoggingOptionDescriptions: [
          {
            LogStreamARN: `arn:aws:logs:us-west-2:000000000000:log-group:${GROUP}:log-stream:kinesis-analytics-log-stream`,
          },
        ],
        ApplicationConfigurationDescription: {
          ApplicationSnapshotConfigurationDescription: { SnapshotsEnabled: true },
          FlinkApplicationConfigurationDescription: {
            MonitoringConfigurationDescription: { LogLevel: 'INFO', MetricsLevel: 'APPLICATION' },
            ParallelismConfigurationDescription: { Parallelism: 1, AutoScalingEnabled: true },
          },
        },
      });
      const groups =
        found?.ApplicationConfigurationDescription?.EnvironmentPropertyDescriptions?.PropertyGroupDescriptions ?? [];
      expect(Object.fromEntries(groups.map((group) => [group.PropertyGroupId, group.PropertyMap]))).toEqual({
        ConsumerConfigProperties: { 'aws.region': 'us-west-2', 'jobs.stream.consumer': 'EFO' },
        ProducerConfigProperties: { 'aws.region': 'us-west-2' },
        ApplicationConfigProperties: {
          S3SinkPath: 's3://rows/enriched',
          enrichment: 'join',
          predictChurnApiEndpoint: 'https://churn.example.com/prod',
          predictChurnApiKey: `${SECRET}#apiKey`,
        },
      });
      const again = await done(...create(...settings()));
      expect(again.map((line) => /already/.test(line))).toEqual([true, true, true, true, true]);
      const other = await app(...create(...settings('S3SinkFormat=csv'), '--parallelism', '2', '--log-level', 'WARN'));
      expect([other.code, other.stderr]).toEqual([
        1,
        expect.stringMatching(
          /not as asked for: parallelism: 1, and 2 was asked for; log level: INFO, and WARN was asked for; ApplicationConfigProperties\.S3SinkFormat: none, and csv was asked for.*app update.*\[APPLICATION_DIFFERS\]/,
        ),
      ]);
      expect((await detail())?.ApplicationVersionId).toBe(1);
    });

    test('what is refused, or is of another application, changes nothing of its rights', async () => {
      const named = { RoleName: 'CompanyAnalyticsRole', PolicyName: 'KinesisPolicy' };
      const rights = async () => (await aws.iam.send(new GetRolePolicyCommand(named))).PolicyDocument;
      const before = await rights();
      const moved = await app(...create(...settings('companies.stream.name=others')));
      expect([moved.code, moved.stderr]).toEqual([1, expect.stringMatching(/\[APPLICATION_DIFFERS\]/)]);
      const second = await app(...create(...settings()), '--application', 'Other');
      expect([second.code, second.stderr]).toEqual([1, expect.stringMatching(/Two applications need two roles/)]);
      expect(await done('delete', '--application', 'Other', '--yes', 'Other', '--with-role')).toEqual([
        'There is no application Other.',
        expect.stringMatching(/^The role CompanyAnalyticsRole stays: it is of arn:\S+\/CompanyJobProcessing\.$/),
      ]);
      expect(await rights()).toBe(before);
    });

    test('the role trusts the service for this application alone, and its policy has no wildcard action', async () => {
      const { Role } = await aws.iam.send(new GetRoleCommand({ RoleName: 'CompanyAnalyticsRole' }));
      const trust = JSON.parse(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? ''));
      expect(trust.Statement[0]).toMatchObject({
        Principal: { Service: 'kinesisanalytics.amazonaws.com' },
        Condition: { StringEquals: { 'aws:SourceAccount': '000000000000' } },
      });
      const { PolicyDocument } = await aws.iam.send(
        new GetRolePolicyCommand({ RoleName: 'CompanyAnalyticsRole', PolicyName: 'KinesisPolicy' }),
      );
      const statements: { Sid: string; Action: string[]; Resource: string[] }[] = JSON.parse(
        decodeURIComponent(PolicyDocument ?? ''),
      ).Statement;
      expect(statements.flatMap(({ Action }) => Action).filter((action) => action.includes('*'))).toEqual([]);
      const onAll = statements.filter(({ Resource }) => Resource.includes('*'));
      expect(onAll.map(({ Action }) => Action)).toEqual([['cloudwatch:PutMetricData']]);
      const resources = Object.fromEntries(statements.map(({ Sid, Resource }) => [Sid, Resource]));
      expect(resources).toMatchObject({
        ReadCode: ['arn:aws:s3:::codes/churn/*'],
        ReadStreamsFannedOut: [
          'arn:aws:kinesis:us-west-2:000000000000:stream/bigdatajobs',
          'arn:aws:kinesis:us-west-2:000000000000:stream/bigdatajobs/consumer/*',
        ],
        WriteRows: ['arn:aws:s3:::rows/enriched/*'],
        ReadSecrets: [SECRET],
      });
      const { logGroups } = await aws.logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: GROUP }));
      expect(logGroups).toMatchObject([{ logGroupName: GROUP, retentionInDays: 30 }]);
    });

    test('start, and start again', async () => {
      expect(await refused('snapshot', 'create')).toMatch(/^1 .*is READY: a snapshot is taken of .* RUNNING/);
      expect(await refused('start', '--from-snapshot', 'none')).toMatch(/^2 .*got none of that name\. Ready are: none/);
      expect(await done('start')).toEqual([`Started ${NAME}, version 1, from its latest snapshot, if there is one.`]);
      expect(await done('start')).toEqual([`${NAME} runs already, version 1.`]);
      expect(await refused('start', '--skip-restore')).toMatch(/^1 .*runs already, from the state it has.*BUSY\]$/);
    });

    test('describe tells status, lag and last checkpoint, for people and for programs', async () => {
      const now = Date.now();
      const data = (MetricName: string, Value: number, shard?: string) => ({
        MetricName,
        Value,
        Timestamp: new Date(now - 60_000),
        Dimensions: [
          { Name: 'Application', Value: NAME },
          ...(shard === undefined ? [] : [{ Name: 'Id', Value: shard }]),
        ],
      });
      const MetricData = [
        data('millisBehindLatest', 250, 'shard-0'),
        data('millisBehindLatest', 4200, 'shard-1'),
        data('lastCheckpointDuration', 180),
        data('lastCheckpointSize', 52_000),
        data('numberOfFailedCheckpoints', 2),
      ];
      await aws.metrics.send(new PutMetricDataCommand({ Namespace: 'AWS/KinesisAnalytics', MetricData }));
      const text = (await done('describe')).join('\n');
      expect(text).toMatch(/^status +RUNNING$/m);
      expect(text).toMatch(/^version +1, since /m);
      expect(text).toMatch(/^lag +4200 ms behind \(measured .+ ago\)$/m);
      expect(text).toMatch(/^last checkpoint +took 180 ms, 52000 bytes \(measured .+ ago\); 2 failed so far$/m);
      expect(JSON.parse((await done('describe', '--json')).join('\n'))).toMatchObject({
        status: 'RUNNING',
        version: 1,
        parallelism: 1,
        metrics: { millisBehindLatest: { value: 4200 }, lastCheckpointSize: { value: 52_000 } },
      });
    });

    test('logs are readable lines, and followed until Ctrl-C', async () => {
      const message = (text: string, more = {}) =>
        JSON.stringify({ messageType: 'WARN', logger: 'io.x.StagesOperator', message: text, ...more });
      const put = (...messages: readonly string[]) =>
        aws.logs.send(
          new PutLogEventsCommand({
            logGroupName: GROUP,
            logStreamName: 'kinesis-analytics-log-stream',
            logEvents: messages.map((each) => ({ timestamp: Date.now(), message: each })),
          }),
        );
      await put(message('first', { throwableInformation: 'java.lang.X: why\n\tat a.b(C.java:1)' }), 'no JSON');
      const lines = await done('logs', '--since', '1 h');
      expect(lines.map((line) => line.replace(/^\S+Z/, 'TIME'))).toEqual([
        'TIME WARN  StagesOperator: first',
        '    java.lang.X: why',
        '    at a.b(C.java:1)',
        'TIME no JSON',
      ]);
      expect(await refused('logs', '--since', 'yesterday')).toMatch(/^2 .*--since: expected a duration such as 15 min/);
      const following = start('app', 'logs', '--follow', '--endpoint', ministack.endpoint);
      await expect.poll(() => following.stdout()).toContain('no JSON');
      await put(message('second'));
      await expect.poll(() => following.stdout()).toContain('StagesOperator: second');
      following.send('SIGINT');
      const { code, stdout } = await following.ended;
      expect([code, stdout.match(/first/g)?.length]).toEqual([0, 1]);
    });

    test('snapshots are taken, listed and deleted', async () => {
      expect(await done('snapshot', 'create', 'one')).toEqual(['Took the snapshot one, of version 1.']);
      expect(await done('snapshot', 'create', 'one')).toEqual(['Snapshot one is there already.']);
      expect(await done('snapshot', 'create', 'two')).toEqual(['Took the snapshot two, of version 1.']);
      expect(JSON.parse((await done('snapshot', 'list', '--json')).join('\n'))).toMatchObject([
        { name: 'one', status: 'READY', version: 1 },
        { name: 'two', status: 'READY', version: 1 },
      ]);
      expect(await done('snapshot', 'delete', 'two', 'three')).toEqual([
        'Deleted the snapshot two.',
        'There is no snapshot three.',
      ]);
    });

    test('an update whose version id is stale is read anew: both changes are there', async () => {
      const other = await between(ministack.endpoint, async () => {
        const update = {
          ParallelismConfigurationUpdate: { ConfigurationTypeUpdate: 'CUSTOM', ParallelismUpdate: 3 },
        } as const;
        await aws.analytics.send(
          new UpdateApplicationCommand({
            ApplicationName: NAME,
            CurrentApplicationVersionId: 1,
            ApplicationConfigurationUpdate: { FlinkApplicationConfigurationUpdate: update },
          }),
        );
      });
      const words = ['--property', 'ApplicationConfigProperties.score.concurrency=200', '--endpoint', other.endpoint];
      const { code, stdout, stderr } = await run('app', 'update', ...words);
      await other.stop();
      expect([code, stdout]).toEqual([
        0,
        `${NAME}: ApplicationConfigProperties.score.concurrency: none, now 200\n${NAME} runs as version 3.\n`,
      ]);
      expect(stderr).toMatch(/is not version 1 any more, or is at work\. Reading it anew/);
      expect(JSON.parse((await done('describe', '--json')).join('\n'))).toMatchObject({ version: 3, parallelism: 3 });
    });

    test('an update changes code, parameters and policy; called again it changes nothing and says so', async () => {
      const next = join(folder, 'next.jar');
      await writeFile(next, 'the next version');
      const words = [
        'update',
        '--code',
        '--jar',
        next,
        '--property',
        'enrichedcompanies.stream.name=enriched-2',
        '--parallelism',
        '2',
      ];
      const told = await done(...words);
      expect(told.at(-1)).toBe(`${NAME} runs as version 4.`);
      const { PolicyDocument } = await aws.iam.send(
        new GetRolePolicyCommand({ RoleName: 'CompanyAnalyticsRole', PolicyName: 'KinesisPolicy' }),
      );
      const policy = decodeURIComponent(PolicyDocument ?? '');
      expect([policy.includes(':stream/enriched-2"'), policy.includes(':stream/enrichedcompanies"')]).toEqual([
        true,
        false,
      ]);
      expect((await done(...words)).at(-1)).toBe(`${NAME} is so already, version 4.`);
      expect(await done('update', '--remove-property', 'ApplicationConfigProperties.score.concurrency')).toEqual([
        `${NAME}: ApplicationConfigProperties.score.concurrency: 200, now none`,
        `${NAME} runs as version 5.`,
      ]);
      expect(await refused('update', '--property', 'ConsumerConfigProperties.S3SinkPath=s3://x')).toMatch(
        /^2 .*but of Appl/,
      );
      expect(await refused('update', '--property', 'S3SinkPath=s3://other')).toMatch(
        /^2 .*its state belongs to what it runs with: S3SinkPath was "s3:\/\/rows\S*", now "s3:\/\/other".*\[STATE_MISMATCH\]/,
      );
      expect(await refused('update')).toMatch(/^2 .*Expected what to change/);
      expect(await refused('update', '--code', 's3://codes/churn/none.jar')).toMatch(/^2 .*There is no s3:\/\/codes/);
    });

    test('stop takes a snapshot, and a start goes on from the one that is named', async () => {
      expect(await done('stop')).toEqual([expect.stringMatching(/^Stopped .* Its latest snapshot is STOP-/)]);
      expect(await done('stop')).toEqual([`${NAME} is stopped already.`]);
      expect(await done('update', '--parallelism', '4')).toContain(
        `${NAME} is version 6 now; it does not run (READY).`,
      );
      expect(await done('start', '--from-snapshot', 'one', '--allow-non-restored-state')).toEqual([
        `Started ${NAME}, version 6, from the snapshot one.`,
      ]);
      const run = (await detail())?.ApplicationConfigurationDescription?.RunConfigurationDescription;
      expect(run).toMatchObject({
        ApplicationRestoreConfigurationDescription: { SnapshotName: 'one' },
        FlinkRunConfigurationDescription: { AllowNonRestoredState: true },
      });
      expect(await done('stop', '--force')).toEqual([
        expect.stringMatching(/^Stopped .* by force, without a snapshot/),
      ]);
    });

    test('delete needs the name, finds the rest itself, and takes role and log along when asked', async () => {
      expect(await refused('delete')).toMatch(/^2 .*There is no terminal to ask on\. Confirm with --yes CompanyJob/);
      expect(await refused('delete', '--yes', 'Other')).toMatch(/^2 .*nothing was deleted/);
      expect(await done('delete', '--yes', NAME, '--with-role', '--with-logs')).toEqual([
        `Deleted ${NAME} and its snapshots.`,
        'Deleted the role CompanyAnalyticsRole and its policy KinesisPolicy.',
        `Deleted the log group ${GROUP}.`,
      ]);
      expect(await done('delete', '--yes', NAME)).toEqual([`There is no application ${NAME}.`]);
      for (const command of ['start', 'stop', 'describe', 'logs']) {
        expect(await refused(command)).toMatch(/^2 .*There is no application CompanyJobProcessing in us-west-2\./);
      }
    });

    test('delete on a terminal asks for the name, and takes no other, nor Ctrl-C, for an answer', async () => {
      const asked = (typed: string) => {
        // Answers the question, once it is asked, and hands on what is shown.
        const script = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[2], sys.argv[2:])
shown, answered = b"", False
while True:
    try: data = os.read(terminal, 1024)
    except OSError: break
    if not data: break
    shown += data
    if b"Type its name: " in shown and not answered:
        answered = True
        os.write(terminal, sys.argv[1].encode())
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
        const words = [process.execPath, 'bin/tenant-analytics.js', 'app', 'delete', '--endpoint', ministack.endpoint];
        return runCommand(ministack.python, '-c', script, typed, ...words);
      };
      for (const [typed, code, told] of [
        [`${NAME}\r`, 0, `There is no application ${NAME}.`],
        ['Other\r', 2, 'got "Other": nothing was deleted'],
        ['\x03', 1, 'Nothing was deleted. [STOPPED]'],
        ['\x04', 1, 'Nothing was deleted. [STOPPED]'],
      ] as const) {
        expect(await asked(typed)).toMatchObject({ code, stdout: expect.stringContaining(told) });
      }
    });

    test('the request files hold the ARN of a secret, and never a secret; nothing is asked of AWS for them', async () => {
      const words = ['aws-requests', '--code', 's3://codes/churn/a.jar', '--account', '123456789012'];
      const nowhere = ['--endpoint', 'http://127.0.0.1:9'];
      const output = ['--output', join(folder, 'requests')];
      const made = await run('app', ...words, ...settings(), ...nowhere, ...output);
      expect([made.code, made.stdout.trimEnd().split('\n').length]).toEqual([0, 17]);
      const text = await readFile(join(folder, 'requests', 'create_request.json'), 'utf8');
      expect(JSON.parse(text)).toMatchObject({
        ServiceExecutionRole: 'arn:aws:iam::123456789012:role/CompanyAnalyticsRole',
      });
      expect(text).toContain(`${SECRET}#apiKey`);
      const plain = await run('app', ...words, ...settings('tenantManagerToken=hunter2'), ...output);
      expect([plain.code, oneLine(plain.stderr)]).toEqual([2, expect.not.stringContaining('hunter2')]);
    });
  },
);

/** A way to AWS on which someone else is faster: `first` runs before the first UpdateApplication is handed on. */
async function between(target: string, first: () => Promise<void>) {
  let isFirst = true;
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    request.on('end', () => {
      const handOn = async () => {
        const isUpdate = String(request.headers['x-amz-target']).endsWith('.UpdateApplication');
        if (isUpdate && isFirst) {
          isFirst = false;
          await first();
        }
        const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
        const answer = await fetch(`${target}${request.url}`, {
          method: request.method ?? 'POST',
          headers: headers as Record<string, string>,
          ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
        });
        const body = Buffer.from(await answer.arrayBuffer());
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(body);
      };
      handOn().catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
