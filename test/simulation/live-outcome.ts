import { CheckpointStore } from '../../src/runtime/checkpoint-store.ts';
import type { CheckpointBody } from '../../src/runtime/checkpointer.ts';
import type { PartsState, World } from '../../src/runtime/ports.ts';
import type { SimulatedKinesis } from '../support/simulated-kinesis.ts';
import { OUTPUT, STATE } from './live-life.ts';
import { type PutJob, STREAMS } from './live-streams.ts';
import type { SimulatedDisk } from './simulated-files.ts';

interface Row {
  readonly companyID: string;
  readonly version: number;
  readonly trigger: 'job' | 'decay';
  readonly userID?: string;
  readonly eventID: string;
  readonly nbJobs: number;
}

/** Lines that the last checkpoint vouches for: of visible parts, and of those that are still open. */
export interface Committed {
  readonly rows: readonly string[];
  readonly deadLetters: readonly string[];
  readonly body: CheckpointBody;
}

/** Reads what a cleanly stopped run left; no file may hold anything that its checkpoint does not know. */
export async function committed(disk: SimulatedDisk): Promise<Committed> {
  const nothing = () => undefined;
  const files = disk.mount({ before: nothing }, () => false);
  const world: World = { files, clock: { now: () => 0 }, sleep: async () => nothing(), random: () => 0, ...quiet };
  const found = await new CheckpointStore(world, STATE).open();
  if (found === undefined) throw new Error('there is no checkpoint');
  const body = found.body as CheckpointBody;
  const open = new Map<string, number>();
  for (const [sink, folder] of [
    ['rows', OUTPUT],
    ['dead-letters', `${OUTPUT}/_dead-letters`],
  ] as const) {
    const { runID, open: parts } = body.sinks[sink] as PartsState;
    for (const { partition, sequence, bytes } of parts) {
      const name = `.part-${runID}-${String(sequence).padStart(6, '0')}.jsonl.inprogress`;
      open.set(`${folder}/${partition}/${name}`, bytes);
    }
  }
  const rows: string[] = [];
  const deadLetters: string[] = [];
  for (const [path, bytes] of disk.files()) {
    if (path.startsWith(`${STATE}/`)) continue;
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (name.startsWith('.') && open.get(path) !== bytes.length) {
      throw new Error(`${path}: ${bytes.length} bytes, the checkpoint knows ${open.get(path)}`);
    }
    open.delete(path);
    const lines = new TextDecoder('utf-8', { fatal: true }).decode(bytes).split('\n');
    if (lines.pop() !== '') throw new Error(`${path}: its last line is torn`);
    (path.startsWith(`${OUTPUT}/_dead-letters/`) ? deadLetters : rows).push(...lines);
  }
  for (const [path, bytes] of open) if (bytes > 0) throw new Error(`${path} is missing`);
  return { rows, deadLetters, body };
}

const quiet = { probe: () => undefined, warn: () => undefined };

/** Those jobs that a run must have read: by where it began, which its checkpoint says. */
export function jobsToRead(jobs: readonly PutJob[], body: CheckpointBody): readonly PutJob[] {
  const began = body.discoveries?.jobs as
    | { timestamp: number | null; shards: readonly string[]; passed: readonly string[] }
    | undefined;
  if (began === undefined) throw new Error('the checkpoint does not say where the run began');
  const { timestamp, shards, passed } = began;
  return jobs.filter(({ shardId, arrivedAt }) => {
    if (passed.includes(shardId)) return false;
    return timestamp === null || !shards.includes(shardId) || arrivedAt >= timestamp;
  });
}

/** What is wrong with rows and dead letters: nothing, when each job is in exactly one of them. */
export function wrongInFiles({ rows, deadLetters, body }: Committed, jobs: readonly PutJob[]): string[] {
  const wrong: string[] = [];
  const expected = new Map(jobsToRead(jobs, body).map((job) => [job.userID, job]));
  const seen = new Map<string, number>();
  const versions = new Map<string, number[]>();
  const sums = new Map<string, number>();
  const see = (userID: string) => seen.set(userID, (seen.get(userID) ?? 0) + 1);
  for (const text of rows) {
    const row = JSON.parse(text) as Row;
    versions.set(row.companyID, [...(versions.get(row.companyID) ?? []), row.version]);
    if (row.trigger === 'decay') continue;
    const job = expected.get(row.userID ?? '');
    if (job === undefined || job.isMalformed) wrong.push(`a row of no job: ${text}`);
    else if (job.eventID !== row.eventID) wrong.push(`expected eventID ${job.eventID}: ${text}`);
    else if (job.companyID !== row.companyID) wrong.push(`expected company ${job.companyID}: ${text}`);
    sums.set(row.companyID, (sums.get(row.companyID) ?? 0) + row.nbJobs - (job?.nbJobs ?? 0));
    see(row.userID ?? '');
  }
  for (const [companyID, difference] of sums) if (difference !== 0) wrong.push(`${companyID}: ${difference} jobs more`);
  for (const text of deadLetters) {
    const letter = JSON.parse(text) as { source: string; reason: string; payload: string };
    if (letter.source !== STREAMS.jobs) continue;
    const userID = /user_\d+_/.exec(Buffer.from(letter.payload, 'base64').toString())?.[0] ?? '';
    const job = expected.get(userID);
    if (job === undefined || job.isMalformed !== (letter.reason === 'malformed')) wrong.push(`dead letter: ${text}`);
    see(userID);
  }
  for (const [userID, job] of expected) {
    const count = seen.get(userID) ?? 0;
    if (count !== 1) wrong.push(`${userID} in ${job.eventID}: ${count} times`);
  }
  for (const [companyID, found] of versions) {
    found.sort((a, b) => a - b);
    if (found.some((version, index) => version !== index + 1)) wrong.push(`versions of ${companyID}: ${found}`);
  }
  return wrong;
}

/** `lives`: how many rows had arrived when each life of the program ended. */
export function wrongInStream(
  kinesis: SimulatedKinesis,
  rows: readonly string[],
  lives: readonly number[],
  lostAnswers: boolean,
): string[] {
  const wrong: string[] = [];
  const sent = kinesis.arrived(STREAMS.rows).map(({ data }) => Buffer.from(data).toString());
  const all = new Set(sent);
  for (const row of rows) if (!all.has(row)) wrong.push(`not sent: ${row}`);
  let begin = 0;
  for (const end of lives) {
    const last = new Map<string, { version: number; text: string }>();
    for (const text of sent.slice(begin, end)) {
      const { companyID, version } = JSON.parse(text) as Row;
      const before = last.get(companyID);
      last.set(companyID, { version, text });
      if (before === undefined || version === before.version + 1) continue;
      if (!(lostAnswers && version === before.version && text === before.text)) {
        wrong.push(`${companyID}: version ${before.version}, then ${version}`);
      }
    }
    begin = end;
  }
  if (lives.length === 1 && !lostAnswers && sent.length !== rows.length) wrong.push(`${sent.length} rows sent`);
  if (begin !== sent.length) wrong.push(`${sent.length - begin} rows after the end`);
  return wrong;
}
