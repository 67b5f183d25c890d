import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * A file of this package, by its path from the package's root: the same one whether this module runs from its source or
 * inside `dist/cli.js`, which lie at different depths.
 */
export function packageFile(path: string): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(folder, path);
    if (existsSync(file)) return file;
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`expected ${path} in a folder above ${fileURLToPath(import.meta.url)}`);
    folder = parent;
  }
}
