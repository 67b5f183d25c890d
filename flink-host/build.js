import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/*
 * `npm run build:flink`: the graph as one script, inside one jar that a cluster, or the managed service, takes as it is. It
 * needs a JDK (11 or newer) and Maven; `--bundle-only` makes the script alone, and needs neither.
 */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

// A platform of `neutral` refuses Node's modules: a script engine has none. Both engines know the language of 2022.
await build({
  entryPoints: [here('../src/hosts/flink/bundle.ts')],
  outfile: here('target/bundle/graph.js'),
  bundle: true,
  format: 'iife',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  logLevel: 'warning',
});

if (!process.argv.includes('--bundle-only')) {
  const { status, error } = spawnSync('mvn', ['-q', '-B', '-f', here('pom.xml'), 'package', '-DskipTests'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error !== undefined || status !== 0) {
    const why = error === undefined ? `mvn ended with ${status}` : `mvn cannot be run: ${error.message}`;
    process.stderr.write(`The jar was not built: ${why}. It needs a JDK (11 or newer) and Maven (3.8 or newer).\n`);
    process.exit(1);
  }
  const jar = here('../dist/flink/tenant-analytics-flink.jar');
  mkdirSync(here('../dist/flink'), { recursive: true });
  copyFileSync(here('target/flink-host-0.1.0.jar'), jar);
  process.stdout.write(`dist/flink/tenant-analytics-flink.jar, ${Math.round(statSync(jar).size / 1e6)} MB\n`);
}
