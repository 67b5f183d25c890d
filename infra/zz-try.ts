import { App } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { deployment } from './deployment.ts';
import { readSettings } from './settings.ts';

console.time('all');
const app = new App({
  outdir: '/tmp/infra-services-cdk.out',
  context: JSON.parse((await import('node:fs')).readFileSync('cdk.json', 'utf8')).context,
});
const settings = readSettings(Object.fromEntries(process.argv.slice(2).map((a) => a.split('='))));
const all = deployment(app, settings);
for (const stack of [all.churnScoring, all.tenantManager, all.application]) {
  if (stack)
    console.log(
      stack.stackName,
      JSON.stringify(new AwsSolutionsChecks(app).validateScope(stack), null, 1).slice(0, 6000),
    );
}
app.synth();
console.timeEnd('all');
