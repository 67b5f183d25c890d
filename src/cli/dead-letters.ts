import { Command, Option } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { listDeadLetters, type StoredDeadLetter } from '../hosts/node/dead-letters.ts';
import { printLines } from './output.ts';

interface ListOptions {
  readonly reason?: string;
  readonly limit?: string;
  readonly json?: true;
}

export function deadLettersCommand(): Command {
  const list = new Command('list')
    .description('show what could not be used, and why')
    .argument('<dir>', 'output of a replay, or a folder of dead letters')
    .option('--reason <reason>', 'only malformed, invalid, oversized, late or unknown-company')
    .option('--limit <n>', 'at most so many')
    .addOption(new Option('--json', 'the whole dead letters, one JSON object a line'))
    .action(async (dir: string, options: ListOptions) => printLines(letterLines(dir, options)));
  return new Command('dead-letters').description('what could not be used').addCommand(list);
}

async function* letterLines(dir: string, options: ListOptions): AsyncGenerator<string> {
  if (options.limit !== undefined && !/^\d{1,9}$/.test(options.limit)) {
    throw new TenantAnalyticsError('USAGE', `--limit: expected a whole number, got ${options.limit}.`);
  }
  let left = Number(options.limit ?? Number.POSITIVE_INFINITY);
  for await (const letter of listDeadLetters(dir, options.reason)) {
    if (left-- <= 0) return;
    yield options.json === true ? JSON.stringify(letter) : readable(letter);
  }
}

const SHOWN_PAYLOAD = 120;

function readable(letter: StoredDeadLetter): string {
  const where = `${letter.shardId ?? letter.source}:${letter.sequenceNumber}`;
  const payload = Buffer.from(letter.payload, 'base64').toString('utf8');
  const shown = payload.length > SHOWN_PAYLOAD ? `${payload.slice(0, SHOWN_PAYLOAD)}…` : payload;
  const arrival = new Date(letter.arrivalTime).toISOString();
  return `${arrival}  ${where}  ${letter.reason}  ${letter.message}\n    ${JSON.stringify(shown)}`;
}
