import { Command, Option } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { listDeadLetters, type StoredDeadLetter } from '../hosts/node/dead-letters.ts';
import { nodeWorld } from '../hosts/node/node-world.ts';
import { grouped, printLines, warn } from './output.ts';

interface ListOptions {
  readonly reason?: string;
  readonly limit?: string;
  readonly json?: true;
}

interface ReplayOptions {
  readonly reason?: string;
  readonly stream?: string;
  readonly endpoint: string;
  readonly region: string;
  readonly again?: true;
  readonly dryRun?: true;
}

const REASON = 'only malformed, invalid, oversized, late or unknown-company';

export function deadLettersCommand(): Command {
  const list = new Command('list')
    .description('show what could not be used, and why')
    .argument('<place>', 'output of a run or replay, a folder of dead letters, or a file that list --json printed')
    .option('--reason <reason>', REASON)
    .option('--limit <n>', 'at most so many')
    .addOption(new Option('--json', 'the whole dead letters, one JSON object a line, with the record as text'))
    .action(async (place: string, options: ListOptions) => printLines(letterLines(place, options)));
  const replay = new Command('replay')
    .description('send them to their streams again, once the cause is mended')
    .argument('<place>', 'as for list')
    .option('--reason <reason>', REASON)
    .option('--stream <name>', 'send to this stream, in place of the one each came from')
    .option('--endpoint <url>', "of a local Kinesis; empty: the region's", '')
    .option('--region <region>', 'region of the streams', 'us-west-2')
    .option('--again', 'also those that were sent before')
    .option('--dry-run', 'send nothing, tell what would be sent')
    .addHelpText(
      'after',
      `
Each letter is sent once from one place: what was sent is noted in .replayed beside the letters, and in FILE.replayed for a
file, which the folder does not know of: do not replay both. To mend records before, write them to a
file, edit the text of "record" in it (it stands over "payload"), and replay the file:

  tenant-analytics dead-letters list out --reason malformed --json > letters.jsonl
  tenant-analytics dead-letters replay letters.jsonl --endpoint http://127.0.0.1:4567

A record that is sent again is a new event: it arrives now, and has a new eventID. One without a creationDate is counted
as of now. Only the head of an oversized record was kept: it is sent only with a whole "record".`,
    )
    .action(runReplay);
  return new Command('dead-letters').description('what could not be used').addCommand(list).addCommand(replay);
}

async function runReplay(place: string, options: ReplayOptions): Promise<void> {
  const { reason, stream, endpoint, region, again = false, dryRun = false } = options;
  const { replayDeadLetters } = await import('../hosts/node/dead-letter-replay.ts');
  const { openKinesis } = await import('../hosts/node/open-kinesis.ts');
  const api = openKinesis(region, endpoint);
  try {
    const world = nodeWorld(warn);
    const result = await replayDeadLetters({ place, reason, stream, again, dryRun }, api, world);
    const { sent, before, cut, tooLarge } = result;
    const lines = [`${dryRun ? 'Would send' : 'Sent'} ${grouped(sent)} dead letters.`];
    if (before > 0) lines.push(`  sent before    ${grouped(before)}: not sent again (--again)`);
    if (cut > 0) lines.push(`  oversized      ${grouped(cut)}: only their heads were kept (see --help)`);
    if (tooLarge > 0) lines.push(`  too large      ${grouped(tooLarge)}: not sent, a stream takes at most 1 MiB`);
    process.stdout.write(`${lines.join('\n')}\n`);
  } finally {
    api.close();
  }
}

async function* letterLines(place: string, options: ListOptions): AsyncGenerator<string> {
  if (options.limit !== undefined && !/^\d{1,9}$/.test(options.limit)) {
    throw new TenantAnalyticsError('USAGE', `--limit: expected a whole number, got ${options.limit}.`);
  }
  let left = Number(options.limit ?? Number.POSITIVE_INFINITY);
  for await (const letter of listDeadLetters(place, options.reason)) {
    if (left-- <= 0) return;
    yield options.json === true ? JSON.stringify(withRecord(letter)) : readable(letter);
  }
}

/** With the record as text to read and to mend, if it is text. */
function withRecord(letter: StoredDeadLetter): StoredDeadLetter {
  if (letter.record !== undefined || letter.reason === 'oversized') return letter;
  const bytes = Buffer.from(letter.payload, 'base64');
  const record = bytes.toString('utf8');
  return Buffer.from(record).equals(bytes) ? { ...letter, record } : letter;
}

const SHOWN_PAYLOAD = 120;

function readable(letter: StoredDeadLetter): string {
  const where = `${letter.shardId ?? letter.source}:${letter.sequenceNumber}`;
  const payload = letter.record ?? Buffer.from(letter.payload, 'base64').toString('utf8');
  const shown = payload.length > SHOWN_PAYLOAD ? `${payload.slice(0, SHOWN_PAYLOAD)}…` : payload;
  const arrival = new Date(letter.arrivalTime).toISOString();
  return `${arrival}  ${where}  ${letter.reason}  ${letter.message}\n    ${JSON.stringify(shown)}`;
}
