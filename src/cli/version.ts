import { readFileSync } from 'node:fs';

/** Of the package: its file lies one folder above the built program; run from the source, two. */
export function version(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      // not there: the other one is
    }
  }
  return '';
}
