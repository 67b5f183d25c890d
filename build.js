import { existsSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { build as buildPage } from 'vite';

/** Made aside, so that a program that runs meanwhile finds the old one or the new one. */
const NEXT = 'dist-next';
rmSync(NEXT, { recursive: true, force: true });

const common = { bundle: true, format: 'esm', target: 'node20', sourcemap: true, logLevel: 'warning' };

// The command line, with the packages it uses inside (it starts in half the time), but for native code and what reads
// files of its own, and in pieces: what only some commands need (the SDK of AWS) is loaded when one of them runs. Some
// packages are CommonJS, and ask for Node's modules by `require`.
await build({
  ...common,
  entryPoints: { cli: 'src/cli/main.ts' },
  outdir: NEXT,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  external: ['fs-native-extensions', '@duckdb/node-api', '@electric-sql/pglite', '@fastify/swagger-ui'],
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
});

// The handler of churn scoring, as it is deployed behind API Gateway: the same that the local route calls.
await build({
  ...common,
  entryPoints: ['src/services/churn-scoring/lambda.ts'],
  outfile: `${NEXT}/churn-scoring-lambda.mjs`,
  platform: 'node',
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
});

// The graph alone, with all it needs inside: what every host runs. A platform of `neutral` refuses Node's modules.
await build({
  ...common,
  entryPoints: ['src/hosts/bundle.ts'],
  outfile: `${NEXT}/graph.js`,
  platform: 'neutral',
  mainFields: ['module', 'main'],
});

// The dashboard's page.
await buildPage({
  configFile: fileURLToPath(new URL('web/vite.config.ts', import.meta.url)),
  logLevel: 'warn',
  build: { outDir: fileURLToPath(new URL(`${NEXT}/web`, import.meta.url)), emptyOutDir: true },
});

// The job for Flink is built by flink-host/build.js, which takes longer, and only when somebody needs it.
if (existsSync('dist/flink')) renameSync('dist/flink', `${NEXT}/flink`);
rmSync('dist', { recursive: true, force: true });
renameSync(NEXT, 'dist');
