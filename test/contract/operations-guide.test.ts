// docs/operations.md names commands and figures: what it names must be there, and the figures those of the program.
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { program } from '../../src/cli/main.ts';
import { plan } from '../../src/hosts/node/plan.ts';
import { planLines } from '../../src/hosts/node/plan-options.ts';

const GUIDE = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const COMMANDS = program();

/** As the shell would read them: in blocks, also over several lines, and in running text. */
function commandLines(): string[] {
  const joined = GUIDE.replaceAll(/\\\n\s*/g, ' ').replaceAll(/`([^`]*)\n\s*([^`]*)`/g, '`$1 $2`');
  const found = [...joined.matchAll(/(?:npx tenant-analytics|`app) ([^`\n]+)/g)];
  return found.map(([whole, words = '']) => (whole.startsWith('`app') ? `app ${words}` : words).trim());
}

/** The command that the words name, and the words that are left. */
function resolve(words: readonly string[]): { command: Command; rest: readonly string[] } {
  let command = COMMANDS;
  let used = 0;
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) break;
    command = next;
    used++;
  }
  return { command, rest: words.slice(used) };
}

const hasApp = COMMANDS.commands.some((each) => each.name() === 'app');
const lines = [...new Set(commandLines())];

describe('each command of the guide is one of the program, with its options', () => {
  test('there are some', () => expect(lines.length).toBeGreaterThan(20));

  // The lifecycle's commands are looked at as soon as they are there.
  test.each(lines.filter((line) => hasApp || !line.startsWith('app ')))('%s', (line) => {
    const words = line.split(/\s+/);
    const { command, rest } = resolve(words);
    expect(command, `expected a command ${words[0]}`).not.toBe(COMMANDS);
    // A group of commands does nothing by itself.
    expect(command.commands.length, `expected a command of ${command.name()} in: ${line}`).toBe(0);
    const known = command.options.flatMap(({ long, short }) => [long, short]);
    for (const flag of rest.filter((word) => word.startsWith('--'))) expect(known, line).toContain(flag);
  });
});

test('the worked example is what the program prints', async () => {
  const [, words = '', shown = ''] = /npx tenant-analytics (plan [^\n]+)\n```\n\n```\n([\s\S]+?)```/u.exec(GUIDE) ?? [];
  const numbers = {
    eventsPerSecond: /--events-per-second (\S+)/.exec(words)?.[1] ?? '',
    companies: /--companies (\S+)/.exec(words)?.[1] ?? '',
  };
  const made = await plan({ numbers, host: 'flink', streams: 'provisioned', prices: undefined, texts: {} });
  const printed = planLines(made);
  const upTo = printed.findIndex((line) => line.startsWith('What this assumes'));
  expect(shown.trimEnd()).toBe(printed.slice(0, upTo).join('\n').trimEnd());
});

test('links within the guide lead to its headings', () => {
  const headings = [...GUIDE.matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const [, target = ''] of GUIDE.matchAll(/\]\(#([^)]+)\)/g)) expect(headings).toContain(target);
});

test('each alarm of the infrastructure is in the guide, and the guide names no other', () => {
  const stack = readFileSync(new URL('../../infra/stacks/watching.ts', import.meta.url), 'utf8');
  const alarms = [...stack.matchAll(/\bname: '([a-z0-9-]+)'/g)].map(([, name]) => name);
  const told = [...GUIDE.matchAll(/^\| `([a-z0-9-]+)`: /gm)].map(([, name]) => name);
  expect(alarms.length).toBeGreaterThan(5);
  expect(told.toSorted()).toEqual(alarms.toSorted());
});
