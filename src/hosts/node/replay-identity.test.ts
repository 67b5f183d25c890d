import { describe, expect, test } from 'vitest';
import type { InputFile } from '../../connectors/file/input-file.ts';
import { readParameters } from '../../pipeline/parameters.ts';
import { checkIdentity, identityOf, type ReplayIdentity } from './replay-identity.ts';

function inputOf(name: string, changes: { size?: number; digest?: string; modifiedAt?: number } = {}): InputFile {
  const { size = 10, digest = 'd', modifiedAt = 7 } = changes;
  return {
    path: `/somewhere/${name}`,
    identity: { name, size, digest },
    gzip: false,
    modifiedAt,
    columns: null,
    start: { offset: 0, line: 0 },
  };
}

function identity(parameters: Record<string, string> = {}, ...inputs: InputFile[]): ReplayIdentity {
  const named = inputs.length > 0 ? inputs : [inputOf('jobs.jsonl')];
  const least = { S3SinkPath: 'file:///rows', enrichment: 'join', scoring: 'off' };
  return identityOf(
    'CompanyJobProcessing',
    new Map(named.map((input) => [`jobs:${input.identity.name}`, input])),
    readParameters({ ApplicationConfigProperties: { ...least, ...parameters } }),
  );
}

/** As a checkpoint gives it back. */
const stored = (known: ReplayIdentity): unknown => JSON.parse(JSON.stringify(known));
const differing = (asked: ReplayIdentity, known: ReplayIdentity): string => {
  try {
    checkIdentity(asked, stored(known), 'out');
  } catch (error) {
    expect(error).toMatchObject({ code: 'INPUT_CHANGED', exitCode: 2 });
    return error instanceof Error ? error.message : '';
  }
  return 'goes on';
};

describe('a replay that is called again', () => {
  test('goes on with the arrival times of its first call, wherever its inputs lie now', () => {
    const first = identity({}, inputOf('jobs.jsonl', { modifiedAt: 7 }));
    const again = identity({}, { ...inputOf('jobs.jsonl', { modifiedAt: 99 }), path: '/elsewhere/jobs.jsonl' });
    expect(checkIdentity(again, stored(first), 'out')).toEqual(first);
    expect(first.arrivalTimes).toEqual({ 'jobs:jobs.jsonl': 7 });
  });

  test('may change where its rows go, how often it makes checkpoints, and its secrets', () => {
    const free = {
      S3SinkPath: 'file:///other',
      'data.dir': 'x',
      'checkpoint.interval': '5 s',
      predictChurnApiKey: 'k',
    };
    expect(differing(identity(free), identity())).toBe('goes on');
  });

  test('keeps no secret', () => {
    const kept = JSON.stringify(identity({ predictChurnApiKey: 'S3CR3T', tenantManagerToken: 'S3CR3T' }));
    expect(kept).not.toContain('S3CR3T');
  });
});

describe('a replay of something else is refused', () => {
  const changed = (what: string): string =>
    `out belongs to another replay: ${what}. Call it as before, or choose another --output.`;

  test.each<[string, ReplayIdentity, string]>([
    ['other content', identity({}, inputOf('jobs.jsonl', { digest: 'e' })), 'jobs:jobs.jsonl has other content'],
    ['another size', identity({}, inputOf('jobs.jsonl', { size: 11 })), 'jobs:jobs.jsonl had 10 bytes, now 11'],
    ['another file', identity({}, inputOf('x.jsonl')), 'jobs:jobs.jsonl is missing; jobs:x.jsonl is a new input'],
    ['one file more', identity({}, inputOf('jobs.jsonl'), inputOf('x.jsonl')), 'jobs:x.jsonl is a new input'],
    ['another format', identity({ S3SinkFormat: 'csv' }), 'S3SinkFormat was "json", now "csv"'],
    ['another rule', identity({ 'activity.decay': 'off' }), 'activity.decay was "on", now "off"'],
    [
      'another disorder',
      identity({ 'watermark.outOfOrderness': '1 s' }),
      'watermark.outOfOrderness was 60000, now 1000',
    ],
    ['another graph', { ...identity(), graph: 'Other' }, 'graph CompanyJobProcessing, now Other'],
  ])('%s', (_, asked, what) => {
    expect(differing(asked, identity())).toBe(changed(what));
  });

  test('each difference is named', () => {
    const asked = identity(
      { scoring: 'off', 'activity.counting': 'per-event' },
      inputOf('jobs.jsonl', { digest: 'e' }),
    );
    expect(differing(asked, identity())).toBe(
      changed('jobs:jobs.jsonl has other content; activity.counting was "rolling", now "per-event"'),
    );
  });

  test('a parameter that the older program did not know is named, unless it is at its default', () => {
    const { 'activity.decay': _, ...parameters } = identity().parameters;
    const older = { ...identity(), parameters };
    expect(differing(identity(), older)).toBe('goes on');
    const off = { ...identity(), parameters: { ...identity().parameters, 'activity.decay': 'off' } };
    expect(differing(off, older)).toBe(changed('activity.decay was not known, now "off"'));
  });

  test('state that is not that of a replay at all', () => {
    for (const found of [null, {}, { graph: 5 }, 'x']) {
      expect(() => checkIdentity(identity(), found, 'out')).toThrow(changed('its state is not that of a replay'));
    }
  });
});
