// Preload (`NODE_OPTIONS=--import=…`) that measures the process it is loaded into: at exit it appends one JSON line to
// $BENCH_USAGE_FILE. A Node process that the contender starts adds a line of its own; worker threads are part of their process.
import { appendFileSync, readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env.BENCH_USAGE_FILE;
if (file !== undefined && isMainThread) {
  process.on('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    const usage = { cpuMicros: userCPUTime + systemCPUTime, rssKiBMax: peakRssKiB() ?? maxRSS };
    appendFileSync(file, `${JSON.stringify(usage)}\n`);
  });
}

/** On Linux `maxRSS` starts at the peak of the process that spawned this one (kept across exec); VmHWM is this program's own. */
function peakRssKiB() {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return match ? Number(match[1]) : undefined;
  } catch {
    return undefined;
  }
}
