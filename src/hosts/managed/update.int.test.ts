import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManagedService, PROPERTIES, STALE } from '../../../test/support/managed-service.ts';
import { CALLS } from './aws-call.ts';
import type { UpdateSetting } from './planned-change.ts';
import { permissionPolicy } from './policy.ts';
import { updateApplication } from './update.ts';

// Updates that the managed service refuses, gives up or takes without a word.

let service: ManagedService;
beforeEach(async () => {
  service = await ManagedService.start();
});
afterEach(() => service.stop());

const CHANGE: UpdateSetting = {
  code: undefined,
  settings: ['ApplicationConfigProperties.score.concurrency=200'],
  removals: [],
  parallelism: undefined,
  allowNonRestoredState: false,
};
const concurrencyOf = () => service.application?.properties[2]?.PropertyMap['score.concurrency'];

describe('update', () => {
  test('a version id that is stale is read anew, and what the other changed is kept', async () => {
    service.put('RUNNING');
    service.states.UpdateApplication = ['UPDATING', 'RUNNING'];
    let isFirst = true;
    service.fault = ({ action }) => {
      if (action !== 'UpdateApplication' || !isFirst) return undefined;
      isFirst = false;
      const [consumer, producer, application] = PROPERTIES;
      if (consumer === undefined || producer === undefined || application === undefined) throw new Error('no groups');
      const PropertyMap = { ...application.PropertyMap, 'sink.roll.age': '1 min' };
      service.put('RUNNING', { version: 8, properties: [consumer, producer, { ...application, PropertyMap }] });
      return STALE;
    };
    const { operator, done, said } = service.operator();
    await updateApplication(operator, CHANGE);
    expect(done).toEqual([
      'app: ApplicationConfigProperties.score.concurrency: none, now 200',
      'app runs as version 9.',
    ]);
    expect(said[0]).toBe('app is not version 7 any more, or is at work. Reading it anew …');
    expect(service.application?.properties[2]?.PropertyMap).toMatchObject({
      'sink.roll.age': '1 min',
      'score.concurrency': '200',
    });
  });

  test('someone who changes it again and again ends it after five tries, with nothing changed', async () => {
    service.put('RUNNING');
    service.refuse('UpdateApplication', STALE);
    const { operator, done } = service.operator();
    await expect(updateApplication(operator, CHANGE)).rejects.toMatchObject({
      code: 'APPLICATION_CHANGED',
      retryable: true,
    });
    expect([service.count('UpdateApplication'), done]).toEqual([5, []]);
  });

  /** The first one is carried out, and its answer lost: the next one finds its version to be stale. */
  const loseAnswer = () => {
    service.fault = ({ action }) =>
      action === 'UpdateApplication' && service.count('UpdateApplication') === 1
        ? { code: 'InternalFailure', message: '', status: 500, isDone: true }
        : undefined;
  };

  test('one whose answer was lost is waited for as any other', async () => {
    service.put('RUNNING');
    service.states.UpdateApplication = ['UPDATING', 'RUNNING'];
    loseAnswer();
    const { operator, done } = service.operator();
    await updateApplication(operator, CHANGE);
    expect(done).toEqual([
      'app: ApplicationConfigProperties.score.concurrency: none, now 200',
      'app runs as version 8.',
    ]);
  });

  test('one whose answer was lost, and that does not come to run, is changed back', async () => {
    service.put('RUNNING');
    service.states = { UpdateApplication: ['UPDATING', 'READY'], StartApplication: ['STARTING', 'RUNNING'] };
    loseAnswer();
    const { operator } = service.operator();
    await expect(updateApplication(operator, CHANGE)).rejects.toThrow(/version 8 did not come to run: it is READY/);
    expect(concurrencyOf()).toBeUndefined();
  });

  test('an outage while it is waited for is told, and ends nothing', async () => {
    service.put('RUNNING');
    service.states.UpdateApplication = ['UPDATING', 'UPDATING', 'RUNNING'];
    service.fault = ({ action }) => {
      const looks = service.count('DescribeApplication') - 3;
      const isAway = action === 'DescribeApplication' && looks > 0 && looks <= 2 * CALLS.attempts;
      return isAway ? { code: 'ServiceUnavailable', message: '', status: 503 } : undefined;
    };
    const { operator, said, done } = service.operator();
    await updateApplication(operator, CHANGE);
    expect(
      said.filter((line) => /^DescribeApplication of app: ServiceUnavailable.* It was tried 6 times/.test(line)),
    ).toHaveLength(2);
    expect(done.at(-1)).toBe('app runs as version 8.');
  });

  test('an outage that lasts ends it after the time it has', async () => {
    service.put('RUNNING');
    service.states.UpdateApplication = ['UPDATING'];
    service.fault = ({ action }) =>
      action === 'DescribeApplication' && service.count(action) > 3
        ? { code: 'ServiceUnavailable', message: '', status: 503 }
        : undefined;
    const { operator } = service.operator();
    await expect(updateApplication(operator, CHANGE)).rejects.toMatchObject({ code: 'AWS_UNREACHABLE' });
    expect(service.count('RollbackApplication')).toBe(0);
  });

  test('an argument that the service refuses is told in its words, once', async () => {
    service.put('RUNNING');
    service.refuse('UpdateApplication', {
      code: 'InvalidArgumentException',
      message: 'Parallelism 100 exceeds the maximum of 32',
    });
    await expect(updateApplication(service.operator().operator, CHANGE)).rejects.toThrow(
      'UpdateApplication of app: InvalidArgumentException: Parallelism 100 exceeds the maximum of 32.',
    );
    expect(service.count('UpdateApplication')).toBe(1);
  });

  test('a version that the service gives up is changed back and started from the latest snapshot', async () => {
    service.put('RUNNING');
    service.states.UpdateApplication = ['UPDATING', 'READY'];
    service.operationError = 'No such bucket: rows';
    service.states.StartApplication = ['STARTING', 'RUNNING'];
    service.fault = ({ action }) => {
      // Only the first one fails: of an application that is READY nothing is restarted.
      if (action === 'UpdateApplication' && service.count('UpdateApplication') === 2)
        service.states = { StartApplication: ['STARTING', 'RUNNING'] };
      return undefined;
    };
    await expect(updateApplication(service.operator().operator, CHANGE)).rejects.toMatchObject({
      code: 'APPLICATION_FAILED',
      message:
        'app: version 8 did not come to run: it is READY. No such bucket: rows Rolled back: app is RUNNING as version 9, with the configuration of version 7.',
    });
    expect(concurrencyOf()).toBeUndefined();
    expect(service.last('StartApplication')).toMatchObject({
      RunConfiguration: { ApplicationRestoreConfiguration: { ApplicationRestoreType: 'RESTORE_FROM_LATEST_SNAPSHOT' } },
    });
  });

  test('a version that never comes to run is rolled back by the service', async () => {
    service.put('RUNNING');
    service.states = { UpdateApplication: ['UPDATING'], RollbackApplication: ['ROLLING_BACK', 'RUNNING'] };
    const { operator } = service.operator();
    await expect(updateApplication(operator, CHANGE)).rejects.toThrow(
      /version 8 did not come to run in time.* Rolled back: app is RUNNING/,
    );
    expect(service.last('RollbackApplication')).toEqual({ ApplicationName: 'app', CurrentApplicationVersionId: 8 });
  });

  test('where the service refuses to roll back, it is stopped by force, changed back and started', async () => {
    service.put('RUNNING');
    service.states = {
      UpdateApplication: ['UPDATING'],
      StopApplication: ['FORCE_STOPPING', 'READY'],
      StartApplication: ['STARTING', 'RUNNING'],
    };
    service.fault = ({ action }) => {
      if (action === 'StopApplication') service.states = { ...service.states, UpdateApplication: ['READY'] };
      return action === 'RollbackApplication'
        ? { code: 'UnsupportedOperationException', message: 'The application has no snapshots' }
        : undefined;
    };
    const { operator, said } = service.operator();
    await expect(updateApplication(operator, CHANGE)).rejects.toThrow(/Rolled back: app is RUNNING as version 9/);
    expect(said.join('\n')).toMatch(/UnsupportedOperationException: The application has no snapshots/);
    expect(service.last('StopApplication')).toMatchObject({ Force: true });
    expect(concurrencyOf()).toBeUndefined();
  });

  test('one that the service itself has taken back is told as failed', async () => {
    service.put('RUNNING');
    service.states.UpdateApplication = ['UPDATING', 'ROLLING_BACK', 'RUNNING'];
    service.shown = (status) => {
      if (status === 'ROLLING_BACK') service.put('ROLLING_BACK', { version: 9 });
    };
    const { operator, done } = service.operator();
    await expect(updateApplication(operator, CHANGE)).rejects.toThrow(
      /The service has gone back itself: app is RUNNING/,
    );
    expect(service.count('UpdateApplication')).toBe(1);
    expect(done.join()).not.toMatch(/runs as version/);
  });

  test('when the way back fails, too, it says so and where to look', async () => {
    service.put('RUNNING');
    service.states.UpdateApplication = ['UPDATING', 'READY'];
    service.refuse('StartApplication', { code: 'InvalidApplicationConfigurationException', message: 'no code' });
    await expect(updateApplication(service.operator().operator, CHANGE)).rejects.toThrow(
      /The way back failed, too: StartApplication of app: InvalidApplicationConfigurationException: no code\. Look with/,
    );
  });

  describe('of what state depends on', () => {
    const OTHER: UpdateSetting = { ...CHANGE, settings: ['S3SinkFormat=csv', 'jobs.stream.name=others'] };

    test('is refused while it runs, with nothing changed and what to do', async () => {
      service.put('RUNNING');
      await expect(updateApplication(service.operator().operator, OTHER)).rejects.toMatchObject({
        code: 'STATE_MISMATCH',
        message:
          'app runs, and its state belongs to what it runs with: jobs.stream.name was "bigdatajobs", now "others"; S3SinkFormat was "json", now "csv". To begin anew with that, counting from nothing: tenant-analytics app stop, the same update, and tenant-analytics app start --skip-restore.',
      });
      expect([service.count('UpdateApplication'), service.count('PutRolePolicy')]).toEqual([0, 0]);
    });

    test('is made while it is stopped, and its snapshots are told to be of no use', async () => {
      service.put('READY');
      service.states.UpdateApplication = ['READY'];
      const { operator, done } = service.operator();
      await updateApplication(operator, OTHER);
      expect(done.slice(-2)).toEqual([
        'app is version 8 now; it does not run (READY).',
        'Its snapshots belong to the parameters of before: tenant-analytics app start --skip-restore.',
      ]);
    });

    test('is made where what runs was never of ours', async () => {
      service.put('RUNNING', {
        properties: [{ PropertyGroupId: 'ApplicationConfigProperties', PropertyMap: { S3SinkPath: 'none' } }],
      });
      service.states.UpdateApplication = ['UPDATING', 'RUNNING'];
      const { operator, done } = service.operator();
      await updateApplication(operator, {
        ...CHANGE,
        settings: ['S3SinkPath=s3://rows/x', 'scoring=off', 'enrichment=join'],
      });
      expect(done.at(-1)).toBe('app runs as version 8.');
    });
  });

  describe('the policy', () => {
    const policyFor = (...streams: string[]) =>
      JSON.stringify(
        permissionPolicy({
          account: { id: '123456789012', partition: 'aws', region: 'us-west-2' },
          application: 'app',
          logStream: 'the-stream',
          secretKeys: [],
          states: streams.map((stream) => ({
            code: { bucket: 'codes', key: 'churn/a.jar' },
            properties: PROPERTIES.map((group) =>
              group.PropertyGroupId === 'ProducerConfigProperties'
                ? { ...group, PropertyMap: { ...group.PropertyMap, 'enrichedcompanies.stream.name': stream } }
                : group,
            ),
          })),
        }),
      );
    const OTHER: UpdateSetting = { ...CHANGE, settings: ['enrichedcompanies.stream.name=other'] };
    const put = () =>
      service.asked.filter(({ action }) => action === 'PutRolePolicy').map(({ input }) => input.PolicyDocument);

    test('allows both streams while the new version comes to run, and then the new one alone', async () => {
      service.put('RUNNING');
      service.states.UpdateApplication = ['UPDATING', 'RUNNING'];
      service.policy = policyFor('enrichedcompanies');
      await updateApplication(service.operator().operator, OTHER);
      expect(put()).toEqual([policyFor('enrichedcompanies', 'other'), policyFor('other')]);
    });

    test('is as before when the new version is taken back', async () => {
      service.put('RUNNING');
      service.states = { UpdateApplication: ['UPDATING'], RollbackApplication: ['RUNNING'] };
      service.policy = policyFor('enrichedcompanies');
      await expect(updateApplication(service.operator().operator, OTHER)).rejects.toThrow(/Rolled back/);
      expect(put().at(-1)).toBe(policyFor('enrichedcompanies'));
    });

    test('stays wide, and that is told, while nobody knows whether the change was taken; called again it is narrowed', async () => {
      service.put('RUNNING');
      service.states.UpdateApplication = ['UPDATING', 'RUNNING'];
      service.policy = policyFor('enrichedcompanies');
      service.refuse('UpdateApplication', { code: 'InternalFailure', message: '', status: 500 });
      const { operator, said } = service.operator();
      await expect(updateApplication(operator, OTHER)).rejects.toMatchObject({ code: 'AWS_UNREACHABLE' });
      expect(said.at(-1)).toMatch(
        /^The policy KinesisPolicy of CompanyAnalyticsRole still allows what both versions need\./,
      );
      expect(put()).toEqual([policyFor('enrichedcompanies', 'other')]);

      service.fault = () => undefined;
      await updateApplication(service.operator().operator, OTHER);
      expect(put().at(-1)).toBe(policyFor('other'));
    });

    test('stays wide, and that is told, when it is waited for no more', async () => {
      service.put('RUNNING');
      service.states.UpdateApplication = ['UPDATING'];
      service.policy = policyFor('enrichedcompanies');
      const stop = new AbortController();
      service.shown = (status) => {
        if (status === 'UPDATING') stop.abort();
      };
      const { operator, said } = service.operator({ signal: stop.signal });
      await expect(updateApplication(operator, OTHER)).rejects.toMatchObject({ code: 'STOPPED' });
      expect(said.at(-1)).toMatch(/still allows what both versions need/);
      expect(put()).toEqual([policyFor('enrichedcompanies', 'other')]);
    });

    test('of a change that was taken, but whose answer was lost, stays with it', async () => {
      service.put('RUNNING');
      service.states.UpdateApplication = ['UPDATING', 'RUNNING'];
      service.policy = policyFor('enrichedcompanies');
      loseAnswer();
      await updateApplication(service.operator().operator, OTHER);
      expect(put()).toEqual([policyFor('enrichedcompanies', 'other'), policyFor('other')]);
    });

    test('that someone else has written is left alone, and told', async () => {
      service.put('RUNNING');
      service.states.UpdateApplication = ['UPDATING', 'RUNNING'];
      service.policy = '{"Statement":[]}';
      const { operator, said } = service.operator();
      await updateApplication(operator, OTHER);
      expect([put(), said[0]]).toEqual([
        [],
        expect.stringMatching(/is not as .* app create makes it: it is left alone/),
      ]);
    });
  });
});
