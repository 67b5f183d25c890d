import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManagedService, PROPERTIES, type Refusal } from '../../../test/support/managed-service.ts';
import { logEvents } from './application-log.ts';
import { CALLS } from './aws-call.ts';
import { createApplication } from './create.ts';
import { deleteApplication } from './delete.ts';
import { createSnapshot, listSnapshots } from './snapshots.ts';
import { startApplication } from './start.ts';
import { stopApplication } from './stop.ts';

// What the managed service does when it does not do what it was asked for, in its own words and states.

let service: ManagedService;
beforeEach(async () => {
  service = await ManagedService.start();
});
afterEach(() => service.stop());

const THROTTLED: Refusal = { code: 'ThrottlingException', message: 'Rate exceeded' };
const IN_USE: Refusal = {
  code: 'ResourceInUseException',
  message: "Application cannot be started in 'STARTING' state",
};
const NO_ROLE: Refusal = {
  code: 'InvalidArgumentException',
  message:
    'Please check the role provided or validity of S3 location you provided. We are unable to get the specified fileKey: churn/a.jar in the specified bucket: codes',
};

const WANTED = {
  role: undefined,
  secretKeys: [],
  logRetentionDays: 30,
  code: { bucket: 'codes', key: 'churn/a.jar' },
  logStream: 'kinesis-analytics-log-stream',
  properties: PROPERTIES,
  parallelism: 1,
  parallelismPerKpu: 1,
  autoscaling: true,
  logLevel: 'INFO',
  metricsLevel: 'APPLICATION',
} as const;
const LATEST = { restore: { kind: 'latest' }, allowNonRestoredState: false } as const;
describe('create', () => {
  test('a role that was just made is waited for, until the service can take it', async () => {
    service.refuse('CreateApplication', NO_ROLE, 4);
    const { operator, done, said } = service.operator();
    await createApplication(operator, WANTED);
    expect(done).toEqual([
      'Made the role CompanyAnalyticsRole.',
      'Made the policy KinesisPolicy.',
      'Made the log group /aws/kinesis-analytics/app (kept for 30 days) and its stream kinesis-analytics-log-stream.',
      'Made the application app (s3://codes/churn/a.jar, parallelism 1).',
    ]);
    expect(said).toEqual(['The service cannot take the role CompanyAnalyticsRole yet; waiting for it …']);
    expect(service.count('CreateApplication')).toBe(5);
  });

  test('a role that the service can never take ends it after three minutes, with what to look at; what was made is told', async () => {
    service.refuse('CreateApplication', NO_ROLE);
    const { operator, done, slept } = service.operator();
    await expect(createApplication(operator, WANTED)).rejects.toMatchObject({
      code: 'AWS_REFUSED',
      message: expect.stringMatching(
        /unable to get the specified fileKey.*tried for 3 minutes.*may take the role arn:aws:iam::123456789012:role\/CompanyAnalyticsRole.*read s3:\/\/codes\/churn\/a\.jar/,
      ),
    });
    expect(slept.reduce((sum, ms) => sum + ms, 0)).toBe(180_000);
    expect(done).toHaveLength(3);
  });

  test('an answer that was lost makes no second application, and no error', async () => {
    let calls = 0;
    service.fault = ({ action }) => {
      if (action !== 'CreateApplication') return undefined;
      calls++;
      return calls === 1
        ? { code: 'InternalFailure', message: '', status: 500, isDone: true }
        : { code: 'ResourceInUseException', message: 'Application already exists: app' };
    };
    const { operator, done } = service.operator();
    await createApplication(operator, WANTED);
    expect(done.at(-1)).toBe('Application app is there already, as asked for.');
  });

  test('a quota that is used up is told at once, with what to do', async () => {
    service.refuse('CreateApplication', {
      code: 'LimitExceededException',
      message: 'You have reached the limit of 100 applications',
    });
    const { operator } = service.operator();
    await expect(createApplication(operator, WANTED)).rejects.toMatchObject({
      code: 'AWS_REFUSED',
      message: expect.stringMatching(/limit of 100 applications\. A quota of the account is used up/),
    });
    expect(service.count('CreateApplication')).toBe(1);
  });
});

describe('throttling', () => {
  test.each([
    THROTTLED,
    { code: 'LimitExceededException', message: 'Rate exceeded' },
    { code: 'ServiceUnavailableException', message: 'try later', status: 503 },
  ])('$code is tried again, with longer and longer waits', async (refusal) => {
    service.put('READY');
    service.states.StartApplication = ['STARTING', 'RUNNING'];
    service.refuse('StartApplication', refusal, 3);
    const { operator, slept } = service.operator();
    expect(await startApplication(operator, LATEST)).toMatch(/^Started app, version 7/);
    expect(slept.slice(0, 3)).toEqual([250, 500, 1000]);
  });

  test('that does not end ends the command, after six tries', async () => {
    service.put('READY');
    service.refuse('DescribeApplication', THROTTLED);
    const { operator } = service.operator();
    await expect(startApplication(operator, LATEST)).rejects.toMatchObject({
      code: 'AWS_UNREACHABLE',
      retryable: true,
      message: expect.stringMatching(
        /^DescribeApplication of app: ThrottlingException: Rate exceeded\. It was tried 6/,
      ),
    });
    expect(service.count('DescribeApplication')).toBe(CALLS.attempts);
  });
});

describe('start', () => {
  const FAILED = JSON.stringify({
    messageType: 'ERROR',
    logger: 'org.apache.flink.runtime.ClusterEntrypoint',
    message: 'Could not start',
    throwableInformation:
      'org.apache.flink.X: Could not start\n\tat a.b\nCaused by: java.lang.RuntimeException: [PARAMETER_MISSING] S3SinkPath is required',
  });

  test('one that ends where it began fails, with the innermost error of the log', async () => {
    service.put('READY');
    service.states.StartApplication = ['STARTING', 'STARTING', 'READY'];
    service.log = [
      [{ eventId: '1', timestamp: 1, message: FAILED }],
      [{ eventId: '2', timestamp: 2, message: 'text' }],
    ];
    await expect(startApplication(service.operator().operator, LATEST)).rejects.toMatchObject({
      code: 'APPLICATION_FAILED',
      message:
        'app did not start: it is READY again. The log says: java.lang.RuntimeException: [PARAMETER_MISSING] S3SinkPath is required',
    });
  });

  test('one that is still READY for a moment after the call has not failed', async () => {
    service.put('READY');
    service.states.StartApplication = ['READY', 'READY', 'STARTING', 'RUNNING'];
    expect(await startApplication(service.operator().operator, LATEST)).toMatch(/^Started app/);
  });

  test("the service's own reason comes before the log", async () => {
    service.put('READY');
    service.states.StartApplication = ['STARTING', 'READY'];
    service.operationError = 'The role cannot read s3://codes/churn/a.jar';
    await expect(startApplication(service.operator().operator, LATEST)).rejects.toThrow(
      'app did not start: it is READY again. The role cannot read s3://codes/churn/a.jar',
    );
  });

  test('someone who was faster is no error: it runs', async () => {
    service.put('READY');
    service.fault = ({ action }) => {
      if (action !== 'StartApplication') return undefined;
      service.put('RUNNING');
      return IN_USE;
    };
    expect(await startApplication(service.operator().operator, LATEST)).toBe('app runs already, version 7.');
  });

  test('a refusal without a visible reason is tried again more and more slowly, then told', async () => {
    service.put('READY');
    service.refuse('StartApplication', IN_USE);
    const { operator, slept } = service.operator();
    await expect(startApplication(operator, LATEST)).rejects.toMatchObject({ code: 'APPLICATION_BUSY' });
    expect(service.count('StartApplication')).toBe(5);
    expect(slept).toHaveLength(4);
    expect(slept.every((ms, index) => ms > (slept[index - 1] ?? 0))).toBe(true);
  });

  test('from a snapshot, it does not pass over an application that runs from elsewhere', async () => {
    service.put('RUNNING');
    service.snapshots = [{ SnapshotName: 'one', SnapshotStatus: 'READY', SnapshotCreationTimestamp: 1 }];
    const restore = { kind: 'snapshot', name: 'one' } as const;
    await expect(
      startApplication(service.operator().operator, { restore, allowNonRestoredState: false }),
    ).rejects.toMatchObject({ code: 'APPLICATION_BUSY' });
  });

  test('one that does not come to run in time says that it goes on in AWS', async () => {
    service.put('READY');
    service.states.StartApplication = ['STARTING'];
    const { operator } = service.operator();
    await expect(startApplication(operator, LATEST)).rejects.toThrow(
      /app does not come to run: it is still STARTING after 15 min\. That goes on in AWS/,
    );
  });

  test('Ctrl-C ends the command, and says what goes on in AWS', async () => {
    service.put('READY');
    service.states.StartApplication = ['STARTING'];
    const stop = new AbortController();
    service.shown = (status) => {
      if (status === 'STARTING') stop.abort();
    };
    await expect(startApplication(service.operator({ signal: stop.signal }).operator, LATEST)).rejects.toMatchObject({
      code: 'STOPPED',
      message: 'app is STARTING, and goes on in AWS without this command. Look: tenant-analytics app describe.',
    });
  });
});

describe('stop, snapshots, delete', () => {
  test('a stop whose snapshot fails says so, and that it runs on', async () => {
    service.put('RUNNING');
    service.states.StopApplication = ['STOPPING', 'RUNNING'];
    await expect(stopApplication(service.operator().operator, false)).rejects.toThrow(
      /app did not stop: it is RUNNING again, mostly because its snapshot failed.*stop --force/,
    );
  });

  test('a snapshot that fails is an error', async () => {
    service.put('RUNNING');
    service.fault = ({ action }) => {
      if (action !== 'CreateApplicationSnapshot') return undefined;
      service.snapshots = [{ SnapshotName: 'one', SnapshotStatus: 'FAILED', SnapshotCreationTimestamp: 1 }];
      return undefined;
    };
    await expect(createSnapshot(service.operator().operator, 'one')).rejects.toThrow(/^The snapshot one is FAILED/);
  });

  test('all pages of snapshots are listed, the oldest first', async () => {
    service.put('RUNNING');
    service.snapshots = [5, 3, 4, 1, 2].map((at) => ({
      SnapshotName: `s${at}`,
      SnapshotStatus: 'READY',
      SnapshotCreationTimestamp: at,
    }));
    expect((await listSnapshots(service.operator().operator)).map(({ name }) => name)).toEqual([
      's1',
      's2',
      's3',
      's4',
      's5',
    ]);
  });

  test('what the service does not support is told in its words', async () => {
    service.put('RUNNING');
    service.refuse('StopApplication', { code: 'UnsupportedOperationException', message: 'Not for this runtime' });
    await expect(stopApplication(service.operator().operator, false)).rejects.toThrow(
      'StopApplication of app: UnsupportedOperationException: Not for this runtime.',
    );
  });

  test('an application that is at work is deleted once it has come to rest', async () => {
    service.put('UPDATING');
    let isBusy = true;
    service.fault = ({ action }) => {
      if (action !== 'DeleteApplication') return undefined;
      if (isBusy) {
        isBusy = false;
        service.put('RUNNING');
        return IN_USE;
      }
      service.application = undefined;
      return undefined;
    };
    const { operator, done } = service.operator();
    await deleteApplication(operator, { withRole: false, withLogs: false });
    expect(done).toEqual(['Deleted app and its snapshots.']);
    expect(service.last('DeleteApplication')?.CreateTimestamp).toBe(1_772_366_400);
  });
});

describe('the log', () => {
  const event = (id: number) => ({ eventId: `e${id}`, timestamp: id * 1000, message: `line ${id}` });

  test('all pages are read', async () => {
    service.put('RUNNING');
    service.log = [[event(1), event(2)], [], [event(3)]];
    const lines: string[] = [];
    const question = { since: 0, pattern: '', follow: false };
    for await (const { text } of logEvents(service.operator().operator, question)) lines.push(text);
    expect(lines).toEqual(['line 1', 'line 2', 'line 3']);
  });

  test('followed, each line comes once, also one that CloudWatch shows late; Ctrl-C ends it', async () => {
    service.put('RUNNING');
    service.log = [[event(100), event(101)]];
    const stop = new AbortController();
    const { operator } = service.operator({ signal: stop.signal });
    const lines: string[] = [];
    for await (const { text } of logEvents(operator, { since: 0, pattern: '', follow: true })) {
      lines.push(text);
      if (lines.length === 2) service.log = [[event(99), event(100), event(101), event(102)]];
      if (lines.length === 4) stop.abort();
    }
    expect(lines).toEqual(['line 100', 'line 101', 'line 99', 'line 102']);
  });
});
