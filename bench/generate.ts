/**
 * Generated input of the benchmarks: deterministic, written once into `bench/.data/` and reused.
 *
 * `tsx bench/generate.ts EVENTS COMPANIES` writes one pair of files; `run.ts` calls `ensureInput`. After a change here,
 * delete `bench/.data/`: the files carry no version.
 */
import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, utimes, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export const DATA_DIR = fileURLToPath(new URL('.data/', import.meta.url));

const START_MS = Date.UTC(2025, 0, 1);
const DAY_MS = 86_400_000;
const DAYS = 120;
const DISORDER_MS_MAX = 50_000;
const USERS = 400;
const WRITE_BYTES = 1 << 20;
const INDUSTRIES = ['service', 'consulting', 'energy', 'gov', 'retail', 'finance', 'health', 'education'] as const;

export interface BenchInput {
  readonly events: number;
  readonly companies: number;
  /** JSON lines, about 124 bytes each, in arrival order. */
  readonly jobsFile: string;
  /** Eight columns without a header and without a time: the file's modification time is a day after the last event. */
  readonly companiesFile: string;
}

/** The files for this size; generates what is missing. A file that exists is complete: it is renamed into place. */
export async function ensureInput(events: number, companies: number): Promise<BenchInput> {
  await mkdir(DATA_DIR, { recursive: true });
  const jobsFile = `${DATA_DIR}jobs-${events}-${companies}.jsonl`;
  const companiesFile = `${DATA_DIR}companies-${companies}.csv`;
  if (!existsSync(companiesFile)) {
    process.stderr.write(`generating ${companiesFile}\n`);
    await writeCompanies(companiesFile, companies);
  }
  if (!existsSync(jobsFile)) {
    process.stderr.write(`generating ${jobsFile}\n`);
    await writeJobs(jobsFile, events, companies);
  }
  return { events, companies, jobsFile, companiesFile };
}

async function writeCompanies(path: string, companies: number): Promise<void> {
  const random = mulberry32(companies);
  const integer = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  let text = '';
  for (let i = 0; i < companies; i++) {
    const industry = INDUSTRIES[integer(0, INDUSTRIES.length - 1)];
    const job30 = integer(0, 12);
    const monthlyFee = integer(100, 1200);
    const [revenu, employees, job90, months] = [
      integer(100, 9999) * 10,
      integer(5, 30_000),
      integer(0, 60),
      integer(1, 36),
    ];
    const profile = `comp_${i},${industry},${revenu},${employees}`;
    text += `${profile},${job30},${job30 + job90},${monthlyFee},${monthlyFee * months}\n`;
  }
  await writeFile(`${path}.tmp`, text);
  const afterLastEvent = new Date(START_MS + (DAYS + 1) * DAY_MS);
  await utimes(`${path}.tmp`, afterLastEvent, afterLastEvent);
  await rename(`${path}.tmp`, path);
}

/** Arrivals are evenly spaced over the 120 days; an event happened up to 50 s before it arrived. */
async function writeJobs(path: string, events: number, companies: number): Promise<void> {
  const random = mulberry32(events ^ Math.imul(companies, 0x9e3779b1));
  const nextCompany = zipf(companies, random);
  const file = await open(`${path}.tmp`, 'w');
  try {
    let text = '';
    for (let i = 0; i < events; i++) {
      const arrival = START_MS + Math.floor((i * DAYS * DAY_MS) / events);
      const creationDate = Math.max(START_MS, arrival - Math.floor(random() * DISORDER_MS_MAX));
      const userID = Math.floor(random() * USERS);
      const nbJobs = Math.floor(random() * 6);
      const dataSize = Math.floor(random() * 1_000_000);
      const eventID =
        i.toString(36).padStart(5, '0') +
        Math.floor(random() * 36 ** 3)
          .toString(36)
          .padStart(3, '0');
      text +=
        `{"companyID":"comp_${nextCompany()}","userID":"user_${userID}","nbJobs":${nbJobs},` +
        `"creationDate":${creationDate},"dataSize":${dataSize},"eventID":"${eventID}"}\n`;
      if (text.length >= WRITE_BYTES) {
        await writeAll(file, text);
        text = '';
      }
    }
    await writeAll(file, text);
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
}

/** `FileHandle.write` may write less than it was given; `FileHandle.writeFile` goes on from the current position. */
async function writeAll(file: FileHandle, text: string): Promise<void> {
  await file.writeFile(text);
}

/** Company numbers with Zipf-distributed frequency (s = 1); ranks are scattered, so that the busiest are not the first. */
function zipf(companies: number, random: () => number): () => number {
  const cumulative = new Float64Array(companies);
  const numberOfRank = Uint32Array.from({ length: companies }, (_, rank) => rank);
  let sum = 0;
  for (let rank = 0; rank < companies; rank++) {
    sum += 1 / (rank + 1);
    cumulative[rank] = sum;
  }
  for (let last = companies - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const swapped = numberOfRank[other] ?? 0;
    numberOfRank[other] = numberOfRank[last] ?? 0;
    numberOfRank[last] = swapped;
  }
  return () => {
    const target = random() * sum;
    let low = 0;
    let high = companies - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulative[middle] ?? 0) > target) high = middle;
      else low = middle + 1;
    }
    return numberOfRank[low] ?? 0;
  };
}

/** A small seeded generator of numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [events, companies] = process.argv.slice(2).map(Number);
  if (!events || !companies) {
    process.stderr.write('usage: tsx bench/generate.ts EVENTS COMPANIES\n');
    process.exit(2);
  }
  const input = await ensureInput(events, companies);
  process.stdout.write(`${input.jobsFile}\n${input.companiesFile}\n`);
}
