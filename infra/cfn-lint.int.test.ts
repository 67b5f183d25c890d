import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { missingForVenv, pythonWith, runPython } from '../test/support/python-venv.ts';
import { DEPLOYMENTS, synthesize } from './testing.ts';

/** The script of the venv names the folder that the venv was made in. */
const RUN = 'import sys, cfnlint.runner; sys.exit(cfnlint.runner.main())';
const missing = missingForVenv(9);

describe.skipIf(missing !== null)(`cfn-lint${missing === null ? '' : ` (needs ${missing})`}`, () => {
  let python: string;
  // Once it is downloaded.
  beforeAll(async () => {
    python = await pythonWith('cfn-lint', 'infra/cfn-lint-requirements.txt');
  }, 600_000);

  test('finds what is wrong', async () => {
    const template = { Resources: { Stream: { Type: 'AWS::Kinesis::Stream', Properties: { ShardCount: 'many' } } } };
    await expect(runPython(python, ['-c', RUN], JSON.stringify(template))).rejects.toThrow('expected exit code 0');
  });

  test('finds nothing wrong with the templates of any deployment', async () => {
    const deployed = Object.values(DEPLOYMENTS).map((settings) => synthesize(settings));
    try {
      const files = deployed.flatMap(({ folder }) =>
        readdirSync(folder)
          .filter((file) => file.endsWith('.template.json'))
          .map((file) => join(folder, file)),
      );
      expect(files.length).toBeGreaterThan(20);
      // W3005: a dependency told twice, which the CDK does on purpose.
      expect(await runPython(python, ['-c', RUN, '--ignore-checks', 'W3005', '--', ...files])).toBe('');
    } finally {
      for (const { remove } of deployed) remove();
    }
  });
});
