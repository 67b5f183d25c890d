import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { missingForVenv, pythonWith, runPython } from '../test/support/python-venv.ts';
import { DEPLOYMENTS, synthesize } from './testing.ts';

/** The script of the venv names the folder that the venv was made in. */
const RUN = 'import sys, cfnlint.runner; sys.exit(cfnlint.runner.main())';
const missing = missingForVenv(9);

const PYTHON = () => pythonWith('cfn-lint', 'infra/cfn-lint-requirements.txt');

describe.skipIf(missing !== null)(`cfn-lint${missing === null ? '' : ` (needs ${missing})`}`, () => {
  test('finds what is wrong', async () => {
    const template = { Resources: { Stream: { Type: 'AWS::Kinesis::Stream', Properties: { ShardCount: 'many' } } } };
    await expect(runPython(await PYTHON(), ['-c', RUN], JSON.stringify(template))).rejects.toThrow(
      'expected exit code 0',
    );
  });

  test.each(Object.keys(DEPLOYMENTS) as (keyof typeof DEPLOYMENTS)[])(
    'finds nothing wrong with the templates of the deployment "%s"',
    async (name) => {
      const python = await PYTHON();
      const deployed = synthesize(DEPLOYMENTS[name]);
      try {
        const templates = readdirSync(deployed.folder).filter((file) => file.endsWith('.template.json'));
        expect(templates.length).toBeGreaterThan(3);
        const files = templates.map((file) => join(deployed.folder, file));
        // W3005: a dependency told twice, which the CDK does on purpose.
        const found = await runPython(python, ['-c', RUN, '--ignore-checks', 'W3005', '--', ...files]);
        expect(found).toBe('');
      } finally {
        deployed.remove();
      }
    },
  );
});
