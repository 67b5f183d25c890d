import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';

/** Whether this machine tells who listens where. */
export const tellsListeners = existsSync('/proc/net/tcp');

const LISTEN = '0A';

/** The addresses on which a process and its children listen, as `127.0.0.1:8080` or hexadecimal (IPv6). Linux only. */
export async function listeningOf(pid: number): Promise<string[]> {
  const inodes = new Set<string>();
  for (const process of await family(pid)) {
    for (const descriptor of await readdir(`/proc/${process}/fd`).catch(() => [])) {
      const target = await readlink(`/proc/${process}/fd/${descriptor}`).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
  }
  const addresses: string[] = [];
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state === LISTEN && inodes.has(inode)) addresses.push(readable(local));
    }
  }
  return addresses.sort();
}

/** A process, and those below it. */
export async function family(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const below = await Promise.all(children.trim().split(' ').filter(Boolean).map(Number).map(family));
  return [pid, ...below.flat()];
}

/** `0100007F:1F90` is 127.0.0.1:8080. */
function readable(address: string): string {
  const [host = '', port = ''] = address.split(':');
  if (host.length !== 8) return address;
  const bytes = [6, 4, 2, 0].map((at) => Number.parseInt(host.slice(at, at + 2), 16));
  return `${bytes.join('.')}:${Number.parseInt(port, 16)}`;
}
