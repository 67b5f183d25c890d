import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { temporaryFolder } from './folders.ts';
import { type Expected, input, modelOf } from './inputs.ts';
import { canonical, deadLetters, difference, lineAndReason, textLines } from './outputs.ts';
import { completeReplay, type Ended } from './program.ts';

/** Lines that no event can be made of, and what they are. */
const POISON: readonly (readonly [reason: 'malformed' | 'invalid' | 'oversized', line: Uint8Array])[] = [
  ['malformed', text('{"companyID":"comp_1","userID":"user_1","nbJobs":')],
  ['malformed', text('not a record at all')],
  ['malformed', text('[1,2]')],
  ['malformed', text('comp_1,"user_1,3')],
  ['malformed', text('comp_1,user_1,1,1735689613359,too,many')],
  ['malformed', text('{"companyID":"comp_1","userID":"user_1","nbJobs":1} {}')],
  ['malformed', Uint8Array.of(...text('{"companyID":"comp_1","userID":"'), 0xc3, 0x28, ...text('","nbJobs":1}'))],
  ['malformed', Uint8Array.of(...text('{"companyID":"'), 0xed, 0xa0, 0x80, ...text('","userID":"u","nbJobs":1}'))],
  ['malformed', Uint8Array.of(0xff, 0xfe, 0x00)],
  ['malformed', Uint8Array.of(0x00)],
  ['invalid', text('{"userID":"user_1","nbJobs":1}')],
  ['invalid', text('{"companyID":"","userID":"user_1","nbJobs":1}')],
  ['invalid', text('{"companyID":17,"userID":"user_1","nbJobs":1}')],
  ['invalid', text(`{"companyID":"${'x'.repeat(129)}","userID":"user_1","nbJobs":1}`)],
  ['invalid', text('{"companyID":"comp_1","userID":null,"nbJobs":1}')],
  ['invalid', text('{"companyID":"comp_1","userID":"user_1","nbJobs":-1}')],
  ['invalid', text('{"companyID":"comp_1","userID":"user_1","nbJobs":1.5}')],
  ['invalid', text('{"companyID":"comp_1","userID":"user_1","nbJobs":"1"}')],
  ['invalid', text('{"companyID":"comp_1","userID":"user_1","nbJobs":9007199254740992}')],
  ['invalid', text('{"companyID":"comp_1","userID":"user_1","nbJobs":1,"creationDate":"2025-02-30"}')],
  ['invalid', text('{"companyID":"comp_1","userID":"user_1","nbJobs":1,"creationDate":-1}')],
  ['invalid', text('{"companyID":"comp_1","userID":"user_1","nbJobs":1,"dataSize":-5}')],
  ['invalid', text('{"companyID":"comp_1","userID":"user_1","nbJobs":1,"eventID":""}')],
  ['invalid', text('{"companyID":"comp_1","userID":"\\ud800","nbJobs":1}')],
  ['invalid', text('comp_1,user_1,many')],
  ['oversized', text(`{"companyID":"comp_1","userID":"${'u'.repeat(1000)}","nbJobs":1}`)],
  ['oversized', text('x'.repeat(1025))],
  ['oversized', text('{"companyID":"comp_1","userID":"user_1","nbJobs":1}'.padEnd(700_000))],
];

function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

describe('with one broken line in a hundred', () => {
  let output: string;
  let ended: Ended;
  let expected: Expected;
  const poisonByLine = new Map<number, (typeof POISON)[number]>();

  beforeAll(async () => {
    const folder = await temporaryFolder();
    const made = input(41, { companies: 30, jobs: 6000, days: 8 });
    const random = seededRandom(42);
    const newLine = new Map<number, number>();
    const bytes: Uint8Array[] = [];
    const add = (line: Uint8Array) => {
      bytes.push(line, text(random() < 0.1 ? '\r\n' : '\n'));
      return bytes.length / 2;
    };
    for (const [index, line] of textLines(made.jobs).entries()) {
      if (index % 100 === 50) {
        const poison = POISON[((index - 50) / 100) % POISON.length];
        if (poison !== undefined) poisonByLine.set(add(poison[1]), poison);
      }
      if (index % 500 === 7) add(text('  '));
      newLine.set(index + 1, add(text(line)));
    }
    await writeFile(`${folder}/companies.jsonl`, made.companies);
    await writeFile(`${folder}/jobs.jsonl`, Buffer.concat(bytes));
    output = `${folder}/out`;
    ended = await completeReplay({
      companies: `${folder}/companies.jsonl`,
      jobs: `${folder}/jobs.jsonl`,
      output,
      settings: ['record.maxBytes=1KiB'],
    });
    const model = modelOf(made);
    const broken = made.broken.map((line) => ({ line, reason: 'malformed' }));
    expected = {
      canonical: model.canonical,
      deadLetters: [...model.deadLetters, ...broken]
        .map(({ line, reason }) => ({ line: newLine.get(line) ?? 0, reason }))
        .concat([...poisonByLine].map(([line, [reason]]) => ({ line, reason })))
        .sort((a, b) => a.line - b.line),
    };
  });

  test('the counts are those of the good lines alone', async () => {
    expect(difference(textLines(await canonical(output)), expected.canonical)).toBeUndefined();
  });

  test('each broken line is a dead letter with its reason and its line, and no other is', async () => {
    expect(poisonByLine.size).toBe(60);
    expect((await deadLetters(output)).map(lineAndReason)).toEqual(expected.deadLetters);
    expect(ended.stdout).toContain(` dead letters  ${expected.deadLetters.length} (`);
  });

  test('its payload is the line as it was; of one that is too long, as much as is allowed', async () => {
    for (const { sequenceNumber, payload, reason, message } of await deadLetters(output)) {
      const [, line] = poisonByLine.get(Number(sequenceNumber)) ?? [];
      if (line === undefined) continue;
      const held = reason === 'oversized' ? line.subarray(0, 1024) : line;
      expect(Buffer.from(payload, 'base64').equals(held), sequenceNumber).toBe(true);
      if (reason === 'oversized') expect(message).toContain(`got ${line.length}`);
    }
  });
});

test('broken company records are dead letters too, and the others are known', async () => {
  const folder = await temporaryFolder();
  const good =
    '{"companyID":"comp_1","industry":"retail","revenu":1,"employees":1,"job30":3,"job90":8,"monthlyFee":1,"totalFee":1}';
  const companies = [
    good.replace('comp_1', 'comp_2').replace('"job30":3', '"job30":-3'),
    '{"companyID":',
    good,
    'comp_3,retail,1',
    '',
  ];
  await writeFile(`${folder}/companies.jsonl`, companies.join('\n'));
  await writeFile(`${folder}/jobs.csv`, ['1', '2', '3'].map((n) => `comp_${n},user_1,1,2025-03-01\n`).join(''));
  const output = `${folder}/out`;
  await completeReplay({ companies: `${folder}/companies.jsonl`, jobs: `${folder}/jobs.csv`, output });
  expect(textLines(await canonical(output))).toEqual(['job,comp_1,1740787200000,user_1,1,4,9,1']);
  const letters = await deadLetters(output);
  expect(letters.map(({ source, sequenceNumber, reason }) => [source, sequenceNumber, reason]).sort()).toEqual([
    ['companies.jsonl', '1', 'invalid'],
    ['companies.jsonl', '2', 'malformed'],
    ['companies.jsonl', '4', 'malformed'],
    ['jobs.csv', '2', 'unknown-company'],
    ['jobs.csv', '3', 'unknown-company'],
  ]);
});

test('a last line without a line feed counts', async () => {
  const folder = await temporaryFolder();
  await writeFile(`${folder}/companies.csv`, 'comp_1,retail,1,1,3,8,1,1');
  await writeFile(`${folder}/jobs.csv`, '\ufeffcompany_id,userid,jobSubmitted\ncomp_1,user_1,1\n\ncomp_1,user_1,2');
  const output = `${folder}/out`;
  await completeReplay({ companies: `${folder}/companies.csv`, jobs: `${folder}/jobs.csv`, output });
  expect(textLines(await canonical(output)).map((line) => line.split(',').slice(4).join())).toEqual([
    '1,4,9,1',
    '2,6,11,2',
  ]);
});
