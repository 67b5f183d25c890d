import * as z from 'zod';
import { messageOf } from '../../../base/errors.ts';
import { managedApplication, type SmokedApplication } from './application.ts';
import type { Aws } from './aws-cli.ts';

/* What only AWS can prove of an application that runs there, one check after the other (docs/flink.md). */

export interface Verdict {
  readonly check: string;
  readonly result: 'pass' | 'fail' | 'skip';
  readonly why: string;
}

export interface SmokeSetting {
  readonly application: string;
  /** Takes a snapshot, and restarts the application from its state with another parallelism. */
  readonly restart: boolean;
}

/** Time, and the AWS CLI. */
export interface SmokeWorld {
  readonly aws: Aws;
  now(): number;
  wait(ms: number): Promise<void>;
}

const EVENTS = 20;
const MORE_EVENTS = 5;
/** Rows are in finished objects after `sink.roll.age` (5 min) and a checkpoint (1 min). */
const ROWS_LIMIT_MS = 480_000;
/** The managed service sends metrics once a minute, and CloudWatch lists new ones late. */
const METRICS_LIMIT_MS = 300_000;
const RESTART_LIMIT_MS = 900_000;
const LOOK_MS = 10_000;
const KNOWN_MS = 15_000;
const DAY_MS = 86_400_000;
const MOST_HEAP_SHARE = 0.8;
const NAMESPACE = 'AWS/KinesisAnalytics';

type Outcome = readonly ['pass' | 'fail' | 'skip', string];

/**
 * Sends a company and its job events of its own, and looks at what becomes of them. Calls `tell` with each verdict as it
 * comes; the answer is whether none failed.
 */
export async function smokeTest(
  setting: SmokeSetting,
  world: SmokeWorld,
  tell: (verdict: Verdict) => void,
): Promise<boolean> {
  let failed = false;
  const check = async (name: string, judge: () => Promise<Outcome>): Promise<boolean> => {
    const [result, why] = await judge().catch((error: unknown): Outcome => ['fail', messageOf(error)]);
    failed ||= result === 'fail';
    tell({ check: name, result, why });
    return result === 'pass';
  };
  let found: SmokedApplication | undefined;
  const runs = await check('runs', async () => {
    found = await managedApplication(world.aws, setting.application);
    const state = `${found.status} on ${found.runtime}, parallelism ${found.parallelism}`;
    return found.status === 'RUNNING' && found.runtime === 'FLINK-1_20'
      ? ['pass', state]
      : ['fail', `expected RUNNING on FLINK-1_20, got ${state}`];
  });
  if (!runs || found === undefined) return false;
  const smoke = new Smoke(setting.application, found, world);
  await check('V8 loads', () => smoke.engine());
  const flows = await check('rows in S3', () => smoke.rows(EVENTS));
  await check('enhanced fan-out', () => smoke.fanOut(flows));
  await check('metrics in CloudWatch', () => smoke.metrics());
  await check('memory of the script', () => smoke.heap());
  if (setting.restart) {
    await check('snapshot', () => smoke.snapshot());
    await check('restart with another parallelism', () => smoke.rescale());
  } else {
    for (const name of ['snapshot', 'restart with another parallelism']) {
      await check(name, async () => ['skip', 'it interrupts the application: add --restart']);
    }
  }
  await check('cleaned up', () => smoke.forget());
  return !failed;
}

class Smoke {
  readonly #name: string;
  readonly #application: SmokedApplication;
  readonly #world: SmokeWorld;
  readonly #begun: number;
  readonly #companyID: string;
  #sent = 0;

  constructor(name: string, application: SmokedApplication, world: SmokeWorld) {
    this.#name = name;
    this.#application = application;
    this.#world = world;
    this.#begun = world.now();
    this.#companyID = `smoke-test-${this.#begun}`;
  }

  /** glibc, CPU, memory protection keys, a folder for the library: all of it, or the graph would run in GraalJS. */
  async engine(): Promise<Outcome> {
    const { log } = this.#application;
    if (log === undefined)
      return ['fail', 'the application has no CloudWatch log stream, so nothing says which engine runs'];
    const lines = async (text: string) => {
      const words = ['--log-group-name', log.group, '--log-stream-names', log.stream, '--filter-pattern', `"${text}"`];
      const since = ['--start-time', String(this.#begun - 14 * DAY_MS)];
      const answer = await this.#json(eventsAnswer, 'logs', 'filter-log-events', ...words, ...since);
      return answer.events.map(({ message }) => message);
    };
    const engine = /The graph runs in (\w+)/.exec((await lines('The graph runs in')).at(-1) ?? '')?.[1];
    if (engine === 'v8') return ['pass', 'the log says: The graph runs in v8'];
    if (engine === undefined) {
      return [
        'fail',
        'the log of the last 14 days does not say which engine runs: set the log level to INFO, and start anew',
      ];
    }
    const why = /V8 cannot be loaded in this JVM \((.*?)\)\./.exec(
      (await lines('V8 cannot be loaded')).at(-1) ?? '',
    )?.[1];
    return ['fail', `the graph runs in ${engine}, about 20 times slower: ${why ?? 'engine=graaljs is set'}`];
  }

  /** Each event has one row, in finished objects. */
  async rows(events: number): Promise<Outcome> {
    const { sink, format, companies, jobs } = this.#application;
    if (!sink.startsWith('s3://')) return ['fail', `S3SinkPath is ${sink}, no s3://…`];
    if (format !== 'json') return ['skip', `S3SinkFormat is ${format}: its rows do not say their version`];
    if (this.#sent === 0) {
      await this.#put(companies, this.#company({}));
      // Another stream, so another way: the company must be known before its first job.
      await this.#world.wait(KNOWN_MS);
    }
    for (let left = events; left > 0; left--) {
      this.#sent++;
      const event = { companyID: this.#companyID, userID: 'smoke-test', nbJobs: 1, creationDate: this.#world.now() };
      await this.#put(jobs, event);
    }
    const expected = Array.from({ length: this.#sent }, (_, index) => index + 1);
    let got: number[] = [];
    await this.#until(ROWS_LIMIT_MS, async () => {
      got = await this.#versions();
      return got.length >= expected.length;
    });
    const seconds = Math.round((this.#world.now() - this.#begun) / 1000);
    return got.join() === expected.join()
      ? ['pass', `${this.#sent} events, ${this.#sent} rows, versions 1 to ${this.#sent}, within ${seconds} s`]
      : [
          'fail',
          `expected rows with the versions 1 to ${this.#sent}, got ${got.join(', ') || 'none'}. Look at the log, at _dead-letters, and at the role`,
        ];
  }

  async fanOut(flows: boolean): Promise<Outcome> {
    const { consumer, jobs } = this.#application;
    if (consumer !== 'EFO') return ['skip', 'jobs.stream.consumer is POLLING'];
    const summary = await this.#json(streamAnswer, 'kinesis', 'describe-stream-summary', '--stream-name', jobs);
    const arn = summary.StreamDescriptionSummary.StreamARN;
    const { Consumers } = await this.#json(consumersAnswer, 'kinesis', 'list-stream-consumers', '--stream-arn', arn);
    const states = Consumers.map(({ ConsumerName, ConsumerStatus }) => `${ConsumerName} ${ConsumerStatus}`).join(', ');
    const active = Consumers.some(
      ({ ConsumerName, ConsumerStatus }) => /-jobs$/.test(ConsumerName) && ConsumerStatus === 'ACTIVE',
    );
    if (active && flows) return ['pass', `registered, and rows came: ${states}`];
    return ['fail', `expected an ACTIVE consumer …-jobs and rows; rows came: ${flows}; consumers: ${states || 'none'}`];
  }

  async metrics(): Promise<Outcome> {
    const missing = new Set([
      'tenant_analytics_rows_total',
      'tenant_analytics_script_engine',
      'tenant_analytics_watermark_seconds',
    ]);
    await this.#until(METRICS_LIMIT_MS, async () => {
      for (const name of missing) if ((await this.#listed(name)).length > 0) missing.delete(name);
      return missing.size === 0;
    });
    return missing.size === 0
      ? ['pass', `in ${NAMESPACE}, under Application ${this.#name}`]
      : ['fail', `${NAMESPACE} has no ${[...missing].join(', ')} of Application ${this.#name}`];
  }

  /** The heap limit of V8 is of the script's own; beyond it the operator fails, beyond that the JVM. */
  async heap(): Promise<Outcome> {
    const used = await this.#most('tenant_analytics_script_heap_bytes');
    const limit = await this.#most('tenant_analytics_script_heap_limit_bytes');
    if (used === undefined || limit === undefined || limit <= 0) return ['fail', 'CloudWatch has no figures of it yet'];
    const text = `${Math.round(used / 1e6)} MB of ${Math.round(limit / 1e6)} MB`;
    return used <= limit * MOST_HEAP_SHARE ? ['pass', text] : ['fail', `${text}: raise the parallelism`];
  }

  async snapshot(): Promise<Outcome> {
    if (!this.#application.snapshots) return ['fail', 'snapshots are not enabled: SnapshotsEnabled=true'];
    const words = ['--application-name', this.#name, '--snapshot-name', this.#companyID];
    await this.#world.aws('kinesisanalyticsv2', 'create-application-snapshot', ...words);
    let status = '';
    await this.#until(RESTART_LIMIT_MS, async () => {
      const answer = await this.#json(snapshotAnswer, 'kinesisanalyticsv2', 'describe-application-snapshot', ...words);
      status = answer.SnapshotDetails.SnapshotStatus;
      return status === 'READY' || status === 'FAILED';
    });
    return status === 'READY' ? ['pass', `${this.#companyID} is READY`] : ['fail', `${this.#companyID} is ${status}`];
  }

  /** What autoscaling does, and an upgrade: from the state, with other tasks. Counts go on where they were. */
  async rescale(): Promise<Outcome> {
    const { parallelism } = this.#application;
    try {
      await this.#restartWith(parallelism + 1);
      const [result, why] = await this.rows(MORE_EVENTS);
      return [result, `parallelism ${parallelism} to ${parallelism + 1}: ${why}`];
    } finally {
      await this.#restartWith(parallelism);
    }
  }

  /** The company of this test leaves a tombstone in state, and its rows. */
  async forget(): Promise<Outcome> {
    if (this.#sent === 0) return ['skip', 'nothing was sent'];
    await this.#put(this.#application.companies, this.#company({ deleted: true }));
    return ['pass', `${this.#companyID} is deleted; its rows stay in ${this.#application.sink}`];
  }

  #company(more: object): object {
    const numbers = { revenu: 0, employees: 1, job30: 0, job90: 0, monthlyFee: 0, totalFee: 0 };
    return { companyID: this.#companyID, industry: 'retail', ...numbers, updatedAt: this.#world.now(), ...more };
  }

  async #put(stream: string, record: object): Promise<void> {
    const data = Buffer.from(JSON.stringify(record)).toString('base64');
    const words = ['--stream-name', stream, '--partition-key', this.#companyID, '--data', data];
    await this.#world.aws('kinesis', 'put-record', ...words);
  }

  /** Of the rows of this test, in order. */
  async #versions(): Promise<number[]> {
    const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/?(.*?)\/?$/.exec(this.#application.sink) ?? [];
    const day = new Date(this.#begun).toISOString().slice(0, 10);
    const under = `${prefix === '' ? '' : `${prefix}/`}dt=${day}/`;
    const listing = ['--bucket', bucket, '--prefix', under];
    const answer = await this.#json(objectsAnswer, 's3api', 'list-objects-v2', ...listing);
    const seen = new Set<string>();
    const versions: number[] = [];
    for (const { Key, LastModified } of answer.Contents) {
      if (Date.parse(LastModified) < this.#begun - LOOK_MS) continue;
      const content = await this.#world.aws('s3', 'cp', `s3://${bucket}/${Key}`, '-');
      for (const line of content.split('\n').filter((each) => each.includes(`"${this.#companyID}"`))) {
        const { trigger, version, scoreStatus } = row.parse(JSON.parse(line));
        if (trigger !== 'job') continue;
        // A row that left without a score may leave once more with it; anything else that stands twice is one too many.
        const key = `${version} ${scoreStatus}`;
        if (seen.has(key) || !versions.includes(version)) versions.push(version);
        seen.add(key);
      }
    }
    return versions.sort((a, b) => a - b);
  }

  async #listed(metric: string): Promise<z.infer<typeof metricsAnswer>['Metrics']> {
    const words = [
      '--namespace',
      NAMESPACE,
      '--metric-name',
      metric,
      '--dimensions',
      `Name=Application,Value=${this.#name}`,
    ];
    return (await this.#json(metricsAnswer, 'cloudwatch', 'list-metrics', ...words)).Metrics;
  }

  /** The greatest value of the last minutes, of all its tasks. */
  async #most(metric: string): Promise<number | undefined> {
    let most: number | undefined;
    for (const { Dimensions } of await this.#listed(metric)) {
      const dimensions = Dimensions.map(({ Name, Value }) => `Name=${Name},Value=${Value}`);
      const time = (ms: number) => new Date(ms).toISOString();
      const period = ['--start-time', time(this.#world.now() - 900_000), '--end-time', time(this.#world.now())];
      const words = ['--namespace', NAMESPACE, '--metric-name', metric, '--period', '60', '--statistics', 'Maximum'];
      const command = ['cloudwatch', 'get-metric-statistics', ...words, ...period, '--dimensions', ...dimensions];
      const { Datapoints } = await this.#json(statisticsAnswer, ...command);
      for (const { Maximum } of Datapoints) most = Math.max(most ?? Maximum, Maximum);
    }
    return most;
  }

  async #restartWith(parallelism: number): Promise<void> {
    const { aws } = this.#world;
    const { version } = await managedApplication(aws, this.#name);
    const update = {
      FlinkApplicationConfigurationUpdate: {
        ParallelismConfigurationUpdate: { ConfigurationTypeUpdate: 'CUSTOM', ParallelismUpdate: parallelism },
      },
    };
    const words = ['--application-name', this.#name, '--current-application-version-id', String(version)];
    const configuration = ['--application-configuration-update', JSON.stringify(update)];
    await aws('kinesisanalyticsv2', 'update-application', ...words, ...configuration);
    const runs = await this.#until(RESTART_LIMIT_MS, async () => {
      const seen = await managedApplication(aws, this.#name);
      return seen.status === 'RUNNING' && seen.parallelism === parallelism;
    });
    if (!runs) throw new Error(`the application did not run with parallelism ${parallelism} within 15 minutes`);
  }

  async #json<T>(schema: z.ZodType<T>, ...words: readonly string[]): Promise<T> {
    const text = await this.#world.aws(...words);
    return schema.parse(text.trim() === '' ? {} : JSON.parse(text));
  }

  async #until(limitMs: number, enough: () => Promise<boolean>): Promise<boolean> {
    for (const until = this.#world.now() + limitMs; ; await this.#world.wait(LOOK_MS)) {
      if (await enough()) return true;
      if (this.#world.now() > until) return false;
    }
  }
}

const text = z.string();
const row = z.object({ version: z.number(), trigger: text, scoreStatus: text });
const eventsAnswer = z.object({ events: z.array(z.object({ message: text })) });
const streamAnswer = z.object({ StreamDescriptionSummary: z.object({ StreamARN: text }) });
const consumersAnswer = z.object({ Consumers: z.array(z.object({ ConsumerName: text, ConsumerStatus: text })) });
const objectsAnswer = z.object({ Contents: z.array(z.object({ Key: text, LastModified: text })).default([]) });
const metricsAnswer = z.object({
  Metrics: z.array(z.object({ Dimensions: z.array(z.object({ Name: text, Value: text })) })),
});
const statisticsAnswer = z.object({ Datapoints: z.array(z.object({ Maximum: z.number() })) });
const snapshotAnswer = z.object({ SnapshotDetails: z.object({ SnapshotStatus: text }) });
