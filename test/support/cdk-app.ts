import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { afterAll } from 'vitest';

const { context } = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'));

/**
 * An app with the CDK's switches as they are at a deployment; what it writes goes with the test file.
 * `assets` as they are deployed: the handler is bundled, which templates alone do not need.
 */
export function cdkApp(assets: 'none' | 'bundled' = 'none'): App {
  const outdir = mkdtempSync(join(tmpdir(), 'tenant-analytics-cdk-'));
  afterAll(() => rmSync(outdir, { recursive: true, force: true }));
  const skipped = assets === 'none' ? { 'aws:cdk:bundling-stacks': [] } : {};
  return new App({ outdir, context: { ...context, ...skipped } });
}
