/** `npm run synth`, `npx cdk deploy …`: see docs/infrastructure.md. */
import { App } from 'aws-cdk-lib';
import { messageOf } from '../src/base/errors.ts';
import { deployment } from './deployment.ts';
import { readSettings } from './settings.ts';

try {
  const app = new App();
  deployment(app, readSettings(app.node.getAllContext()));
  app.synth();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
