import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kinesisClients } from '../../src/connectors/kinesis/aws-clients.ts';
import { type FlinkCluster, startCluster } from '../../src/hosts/flink/cluster/cluster.ts';
import { untilAllTasksRun, watchJob } from '../../src/hosts/flink/cluster/job-watch.ts';
import { applicationJar } from '../../src/hosts/flink/control/jar.ts';
import { canonical } from '../integration/outputs.ts';
import { LOCAL_REGION, type LocalKinesis, startLocalKinesis } from '../support/local-kinesis.ts';
import { conformance, propertyGroups, replayArguments } from './support/conformance.ts';
import { cancelledWithTheTest, rowLines } from './support/graph-job.ts';
import { missing, needs } from './support/needs.ts';
import { scratchFolder } from './support/scratch.ts';
import { ARN, type SecretsServer, startSecretsServer } from './support/secrets-server.ts';

// As on the managed service: RocksDB, checkpoints by the cluster's configuration, several slots, runtime properties in a file.

const never = new AbortController().signal;
const folder = await scratchFolder();
const SECRET = 'a-key-that-nobody-may-see';

describe.skipIf(missing !== null)(`the job on a cluster as the managed service has it${needs}`, () => {
  let cluster: FlinkCluster;
  let kinesis: LocalKinesis;
  let secrets: SecretsServer;
  let jar: string;

  beforeAll(async () => {
    secrets = await startSecretsServer(SECRET);
    Object.assign(process.env, secrets.environment);
    kinesis = await startLocalKinesis();
    for (const stream of ['bigdatajobs', 'companies', 'enrichedcompanies']) await kinesis.createStream(stream);
    const extraConfig = {
      'state.backend.type': 'rocksdb',
      'execution.checkpointing.incremental': true,
      'execution.checkpointing.interval': '700 ms',
    };
    const path = await applicationJar(() => undefined);
    cluster = await startCluster({ folder: `${folder}/cluster`, taskManagers: 1, slots: 4, extraConfig });
    jar = await cluster.rest.uploadJar(path);
  });
  afterAll(async () => {
    await cluster?.stop();
    await kinesis?.stop();
    await secrets?.stop();
    for (const name of Object.keys(secrets?.environment ?? {})) delete process.env[name];
  });

  const submit = async (words: readonly string[], parallelism = 1) => {
    const jobID = await cluster.rest.runJar(jar, { programArgs: words, parallelism });
    cancelledWithTheTest(cluster.rest, jobID);
    return jobID;
  };
  const taskManagerLog = () => readFile(cluster.taskManagers[0]?.logFile ?? '', 'utf8');
  const offline = (name: string) => ({ S3SinkPath: `file://${folder}/${name}`, enrichment: 'join', scoring: 'off' });
  /** As the service writes it. */
  async function propertiesFile(
    name: string,
    application: Readonly<Record<string, string>>,
    streams: Readonly<Record<string, string>> = {},
  ): Promise<string[]> {
    const path = `${folder}/${name}.json`;
    const consumer = { 'aws.endpoint': kinesis.endpoint, 'aws.region': LOCAL_REGION };
    const initial = {
      'jobs.stream.initial.position': 'TRIM_HORIZON',
      'companies.stream.initial.position': 'TRIM_HORIZON',
    };
    await writeFile(path, propertyGroups(application, { ...consumer, ...initial, ...streams }));
    return ['--properties-file', path];
  }

  test('without arguments and without runtime properties it is refused, with where they are expected', async () => {
    await expect(submit([])).rejects.toMatchObject({
      code: 'FLINK_REFUSED',
      message: expect.stringMatching(
        /expected property groups in \/etc\/flink\/application_properties\.json, got no such file\. On the managed service set the application's runtime properties/,
      ),
    });
  });

  test.each([
    ['a name that there is not', { S3SinkPth: 'x' }, /S3SinkPth.*S3SinkPath.*\[PARAMETER_UNKNOWN\]/],
    ['a bad value', { scoring: 'maybe' }, /scoring: .*"maybe".*\[PARAMETER_INVALID\]/],
    ['a missing value', { scoring: 'on' }, /predictChurnApiEndpoint is required.*\[PARAMETER_MISSING\]/],
  ])('%s among the properties is refused by what is wrong with it', async (_, wrong, message) => {
    const words = await propertiesFile('wrong', { ...offline('wrong'), ...wrong });
    await expect(submit(words)).rejects.toMatchObject({ message: expect.stringMatching(message) });
  });

  test('submitted again and again, with two subtasks in one JVM and RocksDB, it gives the expected rows to the last byte', async () => {
    const asked = secrets.asked();
    for (const name of ['first', 'second']) {
      const jobID = await submit(replayArguments(`${folder}/${name}`, { predictChurnApiKey: ARN }));
      await watchJob(cluster.rest, jobID, ({ state }) => state === 'FINISHED', { signal: never });
      expect(await canonical(`${folder}/${name}`)).toBe(await conformance.expected());
    }
    const log = await taskManagerLog();
    expect(log).toMatch(/RocksDB/);
    expect(log).not.toMatch(/already loaded in another classloader/);
    expect(secrets.asked() - asked).toBe(4);
  });

  test('a secret that cannot be read fails the job, with its parameter and what to do', async () => {
    const jobID = await submit(replayArguments(`${folder}/none`, { predictChurnApiKey: `${ARN.slice(0, -6)}xxxxxx` }));
    await expect.poll(() => cluster.rest.failures(jobID).then((all) => all.length)).toBeGreaterThan(0);
    const [failure] = await cluster.rest.failures(jobID);
    expect(failure?.stacktrace).toMatch(
      /predictChurnApiKey: the secret arn:\S+ could not be read: ResourceNotFoundException: .*Check its name.*\[SECRET_UNREADABLE\]/,
    );
    await cluster.rest.cancel(jobID);
    await watchJob(cluster.rest, jobID, ({ state }) => state === 'CANCELED', { signal: never });
  });

  test('of two backlogs that of the companies is read first: no job is a dead letter', async () => {
    const many = 2000;
    const companyIDs = Array.from({ length: many }, (_, index) => `company-${index}`);
    // Streams of their own for each try: the job of another one may still read its.
    const [jobStream, companyStream] = [`jobs-${randomUUID()}`, `companies-${randomUUID()}`];
    const streams = { 'jobs.stream.name': jobStream, 'companies.stream.name': companyStream };
    for (const name of Object.values(streams)) await kinesis.createStream(name, 2);
    const jobs = companyIDs.map((companyID) => ({ companyID, userID: 'u', nbJobs: 1 }));
    await put(kinesis, jobStream, jobs);
    // The records that a job needs are the last ones to be read.
    const others = companyIDs.map((_, index) => ({ companyID: `other-${index}`, industry: 'retail', ...NUMBERS }));
    await put(kinesis, companyStream, others);
    const companies = companyIDs.map((companyID) => ({ companyID, industry: 'retail', ...NUMBERS }));
    await put(kinesis, companyStream, companies);
    const words = await propertiesFile('backlogs', { ...offline('backlogs'), 'sink.roll.age': '1s' }, streams);
    const jobID = await submit(words, 2);
    const rows = async () => rowLines(`${folder}/backlogs`).catch(() => []);
    const letters = async () => finished(`${folder}/backlogs/_dead-letters`);
    await expect.poll(async () => (await rows()).length + (await letters()).length).toBeGreaterThanOrEqual(many);
    expect(await letters()).toEqual([]);
    expect(new Set((await rows()).map((line) => (JSON.parse(line) as { companyID: string }).companyID)).size).toBe(
      many,
    );
    await cluster.rest.cancel(jobID);
    await watchJob(cluster.rest, jobID, ({ state }) => state === 'CANCELED', { signal: never });
  });

  test('with runtime properties alone it takes checkpoints as the cluster says, and tells its metrics where CloudWatch looks', async () => {
    const words = await propertiesFile('live', { ...offline('live'), 'sink.roll.age': '1s', predictChurnApiKey: ARN });
    const jobID = await submit(words);
    await untilAllTasksRun(cluster.rest, jobID, { signal: never });
    const { vertices } = await cluster.rest.job(jobID);
    // Flink fetches them from its TaskManagers now and then.
    const metrics = async () => {
      const each = vertices.map(async ({ id }) => {
        const names = (await cluster.rest.metricNames(jobID, id)).filter((name) => OURS.test(name));
        return names.length === 0 ? {} : cluster.rest.metrics(jobID, id, names);
      });
      const entries = (await Promise.all(each)).flatMap(Object.entries<number>);
      return new Map(entries.map(([name, sum]) => [OURS.exec(name)?.[1] ?? name, sum]));
    };

    await put(kinesis, 'companies', [{ companyID: 'c', industry: 'retail', ...NUMBERS }]);
    // Streams have no order among them: a job that comes before its company is a dead letter.
    const readCompanies = async () => (await metrics()).get(`${GRAPH}.source.companies.tenant_analytics_records_total`);
    await expect.poll(readCompanies).toBeGreaterThan(0);
    await put(kinesis, 'bigdatajobs', [{ companyID: 'c', userID: 'u', nbJobs: 2 }, 'not a record']);
    await expect.poll(async () => (await finished(`${folder}/live`)).length).toBeGreaterThan(0);
    await expect.poll(async () => (await finished(`${folder}/live/_dead-letters`)).length).toBeGreaterThan(0);
    expect(await cluster.rest.checkpointInterval(jobID)).toBe(700);

    const ours = async () => [...(await metrics()).keys()].sort();
    await expect.poll(ours).toEqual(
      [
        'engine.v8.tenant_analytics_script_engine',
        'reason.malformed.tenant_analytics_dead_letters_total',
        'sink.enrichedcompanies.tenant_analytics_rows_total',
        'sink.rows.tenant_analytics_rows_total',
        'source.companies.tenant_analytics_records_total',
        'source.jobs.tenant_analytics_records_total',
        'tenant_analytics_back_pressure_bytes',
        'tenant_analytics_resident_keys',
        'tenant_analytics_script_heap_bytes',
        'tenant_analytics_script_heap_limit_bytes',
        'tenant_analytics_watermark_seconds',
      ]
        .map((name) => `${GRAPH}.${name}`)
        .concat('stream.enrichedcompanies.tenant_analytics_rows_too_large_total')
        .sort(),
    );
    await cluster.rest.cancel(jobID);
    await watchJob(cluster.rest, jobID, ({ state }) => state === 'CANCELED', { signal: never });
  });

  test('its lines are in the log of the cluster, and none of them anywhere else', async () => {
    expect(await taskManagerLog()).toMatch(/ INFO .*io\.tenantanalytics\.flinkhost\.\S+ .*The graph runs in v8 /);
    for (const name of (await readdir(`${cluster.folder}/log`)).filter((each) => each.endsWith('.out'))) {
      expect(await readFile(`${cluster.folder}/log/${name}`, 'utf8')).toBe('');
    }
  });

  test('a secret is in no file of the cluster: no log, no checkpoint, no configuration', async () => {
    const entries = await readdir(cluster.folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.jar'));
    const holding: string[] = [];
    for (const { parentPath, name } of files) {
      const content = await readFile(`${parentPath}/${name}`, 'latin1').catch(() => '');
      if (content.includes(SECRET)) holding.push(name);
    }
    expect(holding).toEqual([]);
  });
});

const OURS = /\.kinesisanalytics\.(.*)$/;
const GRAPH = 'graph.CompanyJobProcessing';
const NUMBERS = { revenu: 1, employees: 1, job30: 1, job90: 2, monthlyFee: 1, totalFee: 1 };

async function put(kinesis: LocalKinesis, stream: string, records: readonly unknown[]): Promise<void> {
  const { calls } = kinesisClients(LOCAL_REGION, kinesis.endpoint);
  for (let from = 0; from < records.length; from += 500) {
    const entries = records.slice(from, from + 500).map((record) => ({
      Data: Buffer.from(JSON.stringify(record)),
      PartitionKey: (record as { companyID?: string }).companyID ?? 'c',
    }));
    await calls.send(new PutRecordsCommand({ StreamName: stream, Records: entries }));
  }
}

/** The finished files of rows under a folder. */
async function finished(path: string): Promise<string[]> {
  await mkdir(path, { recursive: true });
  const dates = (await readdir(path)).filter((name) => name.startsWith('dt='));
  const names = await Promise.all(dates.map((date) => readdir(`${path}/${date}`)));
  return names.flat().filter((name) => !/^[._]/.test(name));
}
