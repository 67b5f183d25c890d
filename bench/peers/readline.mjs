// The script most would write first: node:readline, one write per row. Same counts as plain.mjs, no durability either.
// usage: node readline.mjs COMPANIES.csv JOBS.jsonl OUTPUT.csv
import { once } from 'node:events';
import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { createInterface } from 'node:readline';

const DAY_MS = 86_400_000;
const [companiesFile, jobsFile, outputFile] = process.argv.slice(2);
const linesOf = (path) => createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });

const companies = new Map();
const baseDay = Math.floor(statSync(companiesFile).mtimeMs / DAY_MS);
for await (const line of linesOf(companiesFile)) {
  const [companyID, industry, revenu, employees, job30, job90, monthlyFee, totalFee] = line.split(',');
  const profile = { companyID, industry, revenu, employees, monthlyFee, totalFee };
  const base = { base30: Number(job30), base90: Number(job90) };
  companies.set(companyID, { ...profile, ...base, day: 0, sum30: 0, sum90: 0, buckets: new Array(90).fill(0) });
}

const output = createWriteStream(outputFile);
for await (const line of linesOf(jobsFile)) {
  const event = JSON.parse(line);
  const company = companies.get(event.companyID);
  if (company === undefined) continue;
  const day = Math.floor(event.creationDate / DAY_MS);
  if (day <= company.day - 90) continue; // late
  const last = Math.min(day, company.day + 90);
  for (let d = company.day + 1; d <= last; d++) {
    company.sum30 -= company.buckets[(d + 60) % 90];
    company.sum90 -= company.buckets[d % 90];
    company.buckets[d % 90] = 0;
  }
  company.day = Math.max(company.day, day);
  company.buckets[day % 90] += event.nbJobs;
  company.sum90 += event.nbJobs;
  if (day > company.day - 30) company.sum30 += event.nbJobs;
  const job30 = company.sum30 + (company.day - baseDay < 30 ? company.base30 : 0);
  const job90 = company.sum90 + (company.day - baseDay < 90 ? company.base90 : 0);
  const { companyID, industry, revenu, employees, monthlyFee, totalFee } = company;
  const row = `${companyID},${industry},${revenu},${employees},${job30},${job90},${monthlyFee},${totalFee},\n`;
  if (!output.write(row)) await once(output, 'drain');
}
output.end();
await once(output, 'finish');
