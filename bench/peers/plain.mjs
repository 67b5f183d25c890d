// The plain script: one process, state in a Map, no durability of any kind. Killed halfway, it starts over.
// usage: node plain.mjs COMPANIES.csv JOBS.jsonl OUTPUT.csv
// Lines are cut by hand from large chunks; of the ways tried (see README.md) this one used the least CPU.
import { isAscii } from 'node:buffer';
import { openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs';

const DAY_MS = 86_400_000;
const CHUNK_BYTES = 64 * 1024;
const LINE_BYTES_MAX = 1024 * 1024;
const [companiesFile, jobsFile, outputFile] = process.argv.slice(2);

const companies = new Map();
const baseDay = Math.floor(statSync(companiesFile).mtimeMs / DAY_MS);
for (const line of readFileSync(companiesFile, 'utf8').split('\n')) {
  if (line === '') continue;
  const [companyID, industry, revenu, employees, job30, job90, monthlyFee, totalFee] = line.split(',');
  const head = `${companyID},${industry},${revenu},${employees},`;
  const tail = `,${monthlyFee},${totalFee},\n`; // riskOfChurn is unknown: empty
  const counts = { day: 0, sum30: 0, sum90: 0, buckets: new Int32Array(90) };
  companies.set(companyID, { head, tail, base30: Number(job30), base90: Number(job90), ...counts });
}

/** Moves the company's clock on: jobs that fall out of the 30 and 90 days leave the sums, and their buckets are used again. */
function moveTo(company, day) {
  const last = Math.min(day, company.day + 90); // after 90 days every bucket is empty
  for (let d = company.day + 1; d <= last; d++) {
    company.sum30 -= company.buckets[(d + 60) % 90];
    company.sum90 -= company.buckets[d % 90];
    company.buckets[d % 90] = 0;
  }
  company.day = day;
}

function row(event) {
  const company = companies.get(event.companyID);
  if (company === undefined) return '';
  const day = Math.floor(event.creationDate / DAY_MS);
  if (day > company.day) moveTo(company, day);
  if (day <= company.day - 90) return ''; // late
  company.buckets[day % 90] += event.nbJobs;
  company.sum90 += event.nbJobs;
  if (day > company.day - 30) company.sum30 += event.nbJobs;
  const job30 = company.sum30 + (company.day - baseDay < 30 ? company.base30 : 0);
  const job90 = company.sum90 + (company.day - baseDay < 90 ? company.base90 : 0);
  return `${company.head}${job30},${job90}${company.tail}`;
}

const input = openSync(jobsFile, 'r');
const output = openSync(outputFile, 'w');
const buffer = Buffer.allocUnsafe(LINE_BYTES_MAX + CHUNK_BYTES);
let kept = 0; // bytes of an unfinished line at the start of the buffer
for (;;) {
  const read = readSync(input, buffer, kept, CHUNK_BYTES, null);
  if (read === 0 && kept > 0) buffer[kept++] = 10; // the last line may lack its newline
  const end = kept + read;
  const complete = buffer.subarray(0, buffer.subarray(0, end).lastIndexOf(10) + 1);
  const text = complete.toString(isAscii(complete) ? 'latin1' : 'utf8');
  let rows = '';
  for (let from = 0, to = 0; from < text.length; from = to + 1) {
    to = text.indexOf('\n', from);
    if (to > from) rows += row(JSON.parse(text.slice(from, to)));
  }
  if (rows !== '') writeFileSync(output, rows);
  if (read === 0) break;
  buffer.copyWithin(0, complete.length, end);
  kept = end - complete.length;
}
