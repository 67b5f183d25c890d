import { expect, test } from 'vitest';
import { jsonLog } from './json-log.ts';
import { type LogLevel, textLog } from './log.ts';
import { Secrets } from './secrets.ts';

function json(level: LogLevel, secrets = new Secrets()) {
  const lines: string[] = [];
  const log = jsonLog(level, secrets, { write: (line) => lines.push(line) });
  return { log, lines, objects: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('JSON: one object a line, with time, level, part, message and fields', () => {
  const { log, lines, objects } = json('debug');
  log.of('tenant-manager').debug('request', { correlationID: 'shardId-0:1', status: 200, none: undefined });
  log.warn('two\nlines');
  expect(lines.every((line) => /^[^\n]+\n$/.test(line))).toBe(true);
  const [first, second] = objects();
  expect(first).toMatchObject({ level: 'debug', part: 'tenant-manager', msg: 'request', correlationID: 'shardId-0:1' });
  expect(new Date(String(first?.time)).toISOString()).toBe(first?.time);
  expect(Object.keys(second ?? {}).sort()).toEqual(['level', 'msg', 'time']);
  expect(second?.msg).toBe('two\nlines');
});

test.each([
  ['debug', ['d', 'i', 'w', 'e']],
  ['info', ['i', 'w', 'e']],
  ['warn', ['w', 'e']],
  ['error', ['e']],
] as const)('at level %s only what is as grave, or graver, is told, in either format', (level, told) => {
  const { log, objects } = json(level);
  const texts: string[] = [];
  for (const one of [log, textLog(level, new Secrets(), (line) => texts.push(line))]) {
    expect(one.isDebug).toBe(level === 'debug');
    one.debug('d');
    one.info('i');
    one.warn('w');
    one.error('e');
  }
  expect(objects().map(({ msg }) => msg)).toEqual(told);
  expect(texts.map((text) => text.replace('debug ', ''))).toEqual(told);
});

test('text: messages are as they were given, and a line of debug shows its part and fields', () => {
  const lines: string[] = [];
  const log = textLog('debug', new Secrets(), (line) => lines.push(line));
  log.warn('TenantManager: 1 change waits.', { any: 1 });
  log.of('churn-scoring').debug('request', { status: 200, correlationID: 'e-1', token: 'abc' });
  expect(lines).toEqual([
    'TenantManager: 1 change waits.',
    'debug churn-scoring: request status=200 correlationID=e-1 token=***',
  ]);
});

test('secrets are masked wherever they turn up: in messages, fields, JSON, URLs', () => {
  const secrets = new Secrets();
  secrets.hide('s3cr3t"\\token', undefined, '');
  secrets.hideEnvironment({
    CHURN_SCORING_API_KEY: 'key-of-env',
    HOME: '/home/someone',
    DASHBOARD_TOKENS: '/etc/tokens.json',
    ALERT_WEBHOOK_URL: 'http://h/1',
  });
  const { log, lines } = json('info', secrets);
  const told = [
    'got s3cr3t"\\token',
    `asked http://x/?t=${encodeURIComponent('s3cr3t"\\token')}`,
    'key-of-env; posted to http://h/1',
    'postgresql://user:pass-word@db.local/x',
    'https://hooks.slack.com/services/T0/B0/xyz',
  ];
  for (const message of told) log.warn(message, { field: message });
  log.warn('by name', { apiKey: 'abcdef', token: 'ghijkl', webhook: 'mnopqr', 'x-api-key': 'stuvwx' });
  for (const line of lines) {
    expect(line).not.toMatch(/s3cr3t|key-of-env|http:\/\/h\/1|pass-word|xyz|abcdef|ghijkl|mnopqr|stuvwx/);
    expect(() => JSON.parse(line)).not.toThrow();
  }
  expect(lines[3]).toContain('postgresql://***@db.local/x');
  log.info('/home/someone and /etc/tokens.json stay');
  expect(lines.at(-1)).toContain('/home/someone and /etc/tokens.json stay');
});
