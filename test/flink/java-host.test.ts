import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { applicationJar } from '../../src/hosts/flink/control/jar.ts';
import { missing, needs } from './support/needs.ts';

const POM = fileURLToPath(new URL('../../flink-host/pom.xml', import.meta.url));
const ERROR_LINES = 40;

describe.skipIf(missing !== null)(`the Java host's own tests${needs}`, () => {
  test('pass', async () => {
    // Some read the bundle of the graph, which the build makes.
    await applicationJar(() => undefined);
    const { code, said } = await maven('-f', POM, 'test');
    const errors = said.filter((line) => line.startsWith('[ERROR]')).slice(0, ERROR_LINES);
    expect({ code, errors }).toEqual({ code: 0, errors: [] });
    const [, run = '0'] =
      said.map((line) => /^\[INFO\] Tests run: (\d+), .*Skipped: 0$/.exec(line)).findLast(Boolean) ?? [];
    expect(Number(run)).toBeGreaterThan(150);
  });
});

function maven(...words: readonly string[]): Promise<{ code: number | null; said: readonly string[] }> {
  // Without colours; a test that hangs must not hang this one.
  const child = spawn('mvn', ['-B', ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, said: said.split('\n') }));
  });
}
