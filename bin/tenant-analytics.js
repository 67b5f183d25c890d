#!/usr/bin/env node
import { existsSync } from 'node:fs';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`tenant-analytics: needs Node 20.19 or newer, this is ${process.versions.node}.\n`);
  process.exit(1);
}
const program = new URL('../dist/cli.js', import.meta.url);
if (!existsSync(program)) {
  process.stderr.write('tenant-analytics: not built yet; run `npm ci`, or `npm run build` after a change.\n');
  process.exit(1);
}
const { main } = await import(program.href);
process.exitCode = await main(process.argv.slice(2));
