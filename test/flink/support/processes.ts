import { readdir, readFile } from 'node:fs/promises';

/** Whether a process is there, and no zombie that nobody has looked at. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/\) [ZX] /.test(stat);
}

/** The command lines of the processes whose command line names `text`. */
export async function commandLines(text: string): Promise<string[]> {
  return (await processesWith(text)).map(({ words }) => words);
}

/** The process id of the one JVM whose command line names `text`. */
export async function pidOf(text: string): Promise<number> {
  // Not the shell that watches it.
  const found = (await processesWith(text)).filter(({ words }) => !words.startsWith('sh '));
  if (found.length !== 1) throw new Error(`expected one process with ${text}, found ${found.length}`);
  return found[0]?.pid ?? Number.NaN;
}

async function processesWith(text: string): Promise<{ pid: number; words: string }[]> {
  const found: { pid: number; words: string }[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (words.includes(text) && pid !== process.pid) found.push({ pid, words: words.replaceAll('\0', ' ') });
  }
  return found;
}
