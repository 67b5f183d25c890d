import { rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });

const common = { bundle: true, format: 'esm', target: 'node20', sourcemap: true, logLevel: 'warning' };

// The command line, with the packages it uses left beside it.
await build({
  ...common,
  entryPoints: ['src/cli/main.ts'],
  outfile: 'dist/cli.js',
  platform: 'node',
  packages: 'external',
});

// The graph alone, with all it needs inside: what every host runs. A platform of `neutral` refuses Node's modules.
await build({
  ...common,
  entryPoints: ['src/pipeline/company-job-processing.ts'],
  outfile: 'dist/graph.js',
  platform: 'neutral',
  mainFields: ['module', 'main'],
});
