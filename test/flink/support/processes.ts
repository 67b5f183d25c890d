import { readdir, readFile } from 'node:fs/promises';

/** Whether a process is there, and no zombie that nobody has looked at. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/\) [ZX] /.test(stat);
}

/** The command lines of the processes whose command line names `text`. */
export async function commandLines(text: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (words.includes(text) && Number(pid) !== process.pid) found.push(words.replaceAll('\0', ' '));
  }
  return found;
}
