import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Code, Runtime } from 'aws-cdk-lib/aws-lambda';
import { AssetHashType } from 'aws-cdk-lib/core';
import { buildSync } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The Node of the function: with cdk-nag's leave the newest, and the one of the images (Dockerfile). */
export const HANDLER_RUNTIME = Runtime.NODEJS_24_X;
export const HANDLER = 'index.handler';

/**
 * The handler of churn scoring with all it needs inside, made by this project's own esbuild: neither Docker nor a network is
 * needed. Not minified: its stack traces can be read.
 */
export function handlerBundle(): Code {
  return Code.fromAsset(ROOT, {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: HANDLER_RUNTIME.bundlingImage,
      local: {
        tryBundle(outputDir) {
          bundleHandler(join(outputDir, 'index.mjs'));
          return true;
        },
      },
    },
  });
}

function bundleHandler(outfile: string): void {
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: ['src/services/churn-scoring/lambda.ts'],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    logLevel: 'warning',
    // Some packages are CommonJS, and ask for Node's modules by `require`.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
}
