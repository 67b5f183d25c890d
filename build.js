import { rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });

const common = { bundle: true, format: 'esm', target: 'node20', sourcemap: true, logLevel: 'warning' };

// The command line, with the packages it uses inside (it starts in half the time), but for native code, and in pieces:
// what only some commands need (the SDK of AWS) is loaded when one of them runs. Some packages are CommonJS, and ask for
// Node's modules by `require`.
await build({
  ...common,
  entryPoints: { cli: 'src/cli/main.ts' },
  outdir: 'dist',
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  external: ['fs-native-extensions'],
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
});

// The graph alone, with all it needs inside: what every host runs. A platform of `neutral` refuses Node's modules.
await build({
  ...common,
  entryPoints: ['src/hosts/bundle.ts'],
  outfile: 'dist/graph.js',
  platform: 'neutral',
  mainFields: ['module', 'main'],
});
