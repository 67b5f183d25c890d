import { describe, expect, test } from 'vitest';
import { type SmokeSetting, smokeTest, type Verdict } from './smoke.ts';

// An account in miniature: it answers the AWS CLI in the shapes of its reference, and takes time for what takes time.

const NAME = 'my-analytics';
const START = Date.parse('2026-03-01T12:00:00Z');

interface Faults {
  readonly status?: string;
  readonly log?: readonly string[];
  /** What becomes of the rows of a company. */
  readonly rows?: (rows: readonly string[]) => readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
  readonly consumer?: string;
  readonly consumers?: readonly { ConsumerName: string; ConsumerStatus: string }[];
  readonly metrics?: boolean;
  readonly heapBytes?: number;
  readonly snapshot?: string;
  readonly forgetsState?: boolean;
}

class Account {
  readonly calls: string[] = [];
  #now = START;
  #rows: string[] = [];
  #version = 0;
  #parallelism = 2;
  #applicationVersion = 7;
  #updatedAt = 0;
  readonly #faults: Faults;

  constructor(faults: Faults) {
    this.#faults = faults;
  }

  now = () => this.#now;
  wait = async (ms: number) => {
    this.#now += ms;
  };
  aws = async (...words: readonly string[]): Promise<string> => {
    this.calls.push(words.join(' '));
    const option = (name: string) => words[words.indexOf(`--${name}`) + 1] ?? '';
    if (words[0] === 's3') return this.#object();
    const answer = this.#answer(`${words[0]} ${words[1]}`, option);
    return answer === undefined ? '' : JSON.stringify(answer);
  };

  #answer(command: string, option: (name: string) => string): unknown {
    const { consumers = [], metrics = true, heapBytes = 2e8, snapshot = 'READY' } = this.#faults;
    switch (command) {
      case 'kinesisanalyticsv2 describe-application':
        return this.#application();
      case 'kinesisanalyticsv2 update-application':
        if (Number(option('current-application-version-id')) !== this.#applicationVersion) throw new Error('version');
        this.#applicationVersion++;
        this.#parallelism = JSON.parse(
          option('application-configuration-update'),
        ).FlinkApplicationConfigurationUpdate.ParallelismConfigurationUpdate.ParallelismUpdate;
        this.#updatedAt = this.#now;
        if (this.#faults.forgetsState === true) this.#version = 0;
        return {};
      case 'kinesisanalyticsv2 create-application-snapshot':
        return undefined;
      case 'kinesisanalyticsv2 describe-application-snapshot':
        return { SnapshotDetails: { SnapshotName: option('snapshot-name'), SnapshotStatus: snapshot } };
      case 'logs filter-log-events': {
        const { log = ['{"message":"The graph runs in v8 (open-stages).","messageType":"INFO"}'] } = this.#faults;
        const pattern = option('filter-pattern').replaceAll('"', '');
        return { events: log.filter((line) => line.includes(pattern)).map((message) => ({ message })) };
      }
      case 'kinesis put-record':
        this.#put(option('stream-name'), JSON.parse(Buffer.from(option('data'), 'base64').toString()));
        return { ShardId: 'shardId-000000000000', SequenceNumber: '1' };
      case 'kinesis describe-stream-summary':
        return { StreamDescriptionSummary: { StreamARN: 'arn:aws:kinesis:us-west-2:1:stream/bigdatajobs' } };
      case 'kinesis list-stream-consumers':
        return { Consumers: consumers };
      case 's3api list-objects-v2':
        expect(option('prefix')).toBe('enriched/dt=2026-03-01/');
        return this.#now < START + 60_000
          ? {}
          : { Contents: [{ Key: 'enriched/dt=2026-03-01/part-1', LastModified: new Date(this.#now).toISOString() }] };
      case 'cloudwatch list-metrics':
        return { Metrics: metrics ? [{ Dimensions: [{ Name: 'Application', Value: NAME }] }] : [] };
      case 'cloudwatch get-metric-statistics':
        return { Datapoints: [{ Maximum: option('metric-name').includes('limit') ? 1e9 : heapBytes }] };
      default:
        throw new Error(`the account knows no ${command}`);
    }
  }

  #application() {
    const { status = 'RUNNING', properties = {}, consumer = 'POLLING' } = this.#faults;
    const isUpdating = this.#now < this.#updatedAt + 30_000;
    return {
      ApplicationDetail: {
        ApplicationStatus: isUpdating ? 'UPDATING' : status,
        ApplicationVersionId: this.#applicationVersion,
        RuntimeEnvironment: 'FLINK-1_20',
        CloudWatchLoggingOptionDescriptions: [
          { LogStreamARN: 'arn:aws:logs:us-west-2:1:log-group:/aws/kinesis-analytics/x:log-stream:the-stream' },
        ],
        ApplicationConfigurationDescription: {
          ApplicationSnapshotConfigurationDescription: { SnapshotsEnabled: true },
          EnvironmentPropertyDescriptions: {
            PropertyGroupDescriptions: [
              { PropertyGroupId: 'ConsumerConfigProperties', PropertyMap: { 'jobs.stream.consumer': consumer } },
              {
                PropertyGroupId: 'ApplicationConfigProperties',
                PropertyMap: { S3SinkPath: 's3://bucket/enriched', enrichment: 'join', scoring: 'off', ...properties },
              },
            ],
          },
          FlinkApplicationConfigurationDescription: {
            ParallelismConfigurationDescription: { Parallelism: this.#parallelism, AutoScalingEnabled: true },
          },
        },
      },
    };
  }

  #put(stream: string, record: Record<string, unknown>): void {
    if (stream === 'companies') return;
    this.#version++;
    const row = { companyID: record.companyID, trigger: 'job', version: this.#version, scoreStatus: 'off' };
    this.#rows.push(JSON.stringify(row));
  }

  #object(): string {
    return `${['{"companyID":"another"}', ...(this.#faults.rows ?? ((rows) => rows))(this.#rows)].join('\n')}\n`;
  }
}

async function smoke(faults: Faults = {}, more: Partial<SmokeSetting> = {}) {
  const account = new Account(faults);
  const verdicts: Verdict[] = [];
  const passed = await smokeTest({ application: NAME, restart: false, ...more }, account, (one) => verdicts.push(one));
  const of = (check: string) => verdicts.find((one) => one.check === check);
  return { passed, verdicts, of, account };
}

describe('the smoke test of an application on the managed service', () => {
  test('passes when all is well, within ten minutes, and leaves its company deleted', async () => {
    const { passed, verdicts, account } = await smoke();
    expect(verdicts.map(({ check, result }) => `${result} ${check}`)).toEqual([
      'pass runs',
      'pass V8 loads',
      'pass rows in S3',
      'skip enhanced fan-out',
      'pass metrics in CloudWatch',
      'pass memory of the script',
      'skip snapshot',
      'skip restart with another parallelism',
      'pass cleaned up',
    ]);
    expect(passed).toBe(true);
    expect(account.now() - START).toBeLessThan(600_000);
    const last = account.calls.findLast((call) => call.startsWith('kinesis put-record')) ?? '';
    const record = JSON.parse(Buffer.from(last.split(' ').at(-1) ?? '', 'base64').toString());
    expect(record).toMatchObject({ companyID: `smoke-test-${START}`, deleted: true });
  });

  test('with --restart a snapshot is taken, versions go on over the restart, and the parallelism is as before', async () => {
    const { passed, of, account } = await smoke({}, { restart: true });
    expect(passed).toBe(true);
    expect(of('restart with another parallelism')?.why).toMatch(
      /^parallelism 2 to 3: 25 events, 25 rows, versions 1 to 25/,
    );
    const updates = account.calls.filter((call) => call.includes('update-application'));
    expect(updates.map((call) => /"ParallelismUpdate":(\d+)/.exec(call)?.[1])).toEqual(['3', '2']);
  });

  test('an application that does not run, or is not there, is the only thing it tells', async () => {
    const { passed, verdicts } = await smoke({ status: 'READY' });
    expect([passed, verdicts.length]).toEqual([false, 1]);
    expect(verdicts[0]?.why).toBe('expected RUNNING on FLINK-1_20, got READY on FLINK-1_20, parallelism 2');
  });

  const LOST = 'V8 cannot be loaded in this JVM (UnsatisfiedLinkError: no glibc). The graph runs in GraalJS instead';
  const dropOne = (rows: readonly string[]) => rows.filter((_, index) => index !== 4);
  const doubleOne = (rows: readonly string[]) => rows.flatMap((row, index) => (index === 4 ? [row, row] : [row]));
  test.each<[string, string, Faults, RegExp]>([
    [
      'GraalJS in place of V8',
      'V8 loads',
      { log: [LOST, 'The graph runs in graaljs (x)'] },
      /20 times slower: Unsat.*no glibc$/,
    ],
    ['a log that tells nothing', 'V8 loads', { log: [] }, /set the log level to INFO/],
    ['a row that is missing', 'rows in S3', { rows: dropOne }, /versions 1 to 20, got 1, 2, 3, 4, 6, 7,/],
    ['a row that stands twice', 'rows in S3', { rows: doubleOne }, /got 1, 2, 3, 4, 5, 5, 6,/],
    ['rows that do not go to S3', 'rows in S3', { properties: { S3SinkPath: 'file:///rows' } }, /no s3:/],
    ['a consumer that is not there', 'enhanced fan-out', { consumer: 'EFO' }, /consumers: none$/],
    ['metrics that do not come', 'metrics in CloudWatch', { metrics: false }, /has no tenant_analytics_rows_total/],
    ['a script that is short of memory', 'memory of the script', { heapBytes: 9e8 }, /^900 MB of 1000 MB: raise/],
  ])('%s fails it, with what to do', async (_, check, faults, why) => {
    const { passed, of } = await smoke(faults);
    expect({ passed, ...of(check) }).toMatchObject({ passed: false, result: 'fail', why: expect.stringMatching(why) });
  });

  test.each<[string, string, Faults, RegExp]>([
    ['a snapshot that fails', 'snapshot', { snapshot: 'FAILED' }, /is FAILED$/],
    [
      'state that is lost',
      'restart with another parallelism',
      { forgetsState: true },
      /versions 1 to 25, got 1, 1, 2, 2,/,
    ],
  ])('with --restart %s fails it', async (_, check, faults, why) => {
    const { passed, of, account } = await smoke(faults, { restart: true });
    expect({ passed, ...of(check) }).toMatchObject({ passed: false, result: 'fail', why: expect.stringMatching(why) });
    expect(account.calls.at(-1)).toMatch(/^kinesis put-record --stream-name companies/);
  });

  test('an ACTIVE consumer and rows pass enhanced fan-out', async () => {
    const consumers = [{ ConsumerName: 'CompanyJobProcessing-jobs', ConsumerStatus: 'ACTIVE' }];
    expect((await smoke({ consumer: 'EFO', consumers })).of('enhanced fan-out')?.result).toBe('pass');
  });

  test('a row that left without a score, and once more with it, is one row', async () => {
    const rows = (all: readonly string[]) => all.flatMap((row) => [row, row.replace('"off"', '"unavailable"')]);
    expect((await smoke({ rows })).of('rows in S3')?.result).toBe('pass');
  });
});
