import { Command, Option } from 'commander';
import { INPUTS, type InputName, type InputSpec, planLines } from '../hosts/node/plan-options.ts';
import { type ParameterOptions, readTexts, withParameters } from './options.ts';
import { printLines } from './output.ts';

interface PlanOptions extends ParameterOptions {
  readonly host: 'node' | 'flink';
  readonly streams: 'provisioned' | 'on-demand';
  readonly prices?: string;
  readonly json?: true;
  /** The numbers, under commander's names of their flags. */
  readonly [flag: string]: unknown;
}

export function planCommand(): Command {
  const command = withParameters(
    new Command('plan').description('shards, KPUs, calls a second and cost of a load, with all that it assumes'),
  );
  for (const spec of specs()) {
    const byDefault = spec.byDefault === null ? 'required' : `default: ${spec.byDefault}`;
    command.option(`--${spec.flag} <n>`, `${spec.about} (${byDefault})`);
  }
  return command
    .addOption(new Option('--host <host>', 'where the application runs').choices(['node', 'flink']).default('flink'))
    .addOption(
      new Option('--streams <mode>', 'how streams are paid')
        .choices(['provisioned', 'on-demand'])
        .default('provisioned'),
    )
    .option('--prices <file>', "prices in the shape of this package's prices.json, which is taken without it")
    .option('--json', 'the whole plan as JSON')
    .addHelpText(
      'after',
      `
Parameters of the application count as well, by --set or --properties: scoring, enrichment, activity.decay, S3SinkFormat,
sink.roll.*, tenant.cache.*, tenant.concurrency, score.concurrency, jobs.stream.consumer.

Prices are list prices of one region, as written down on the day that is printed; nothing checks them. Edit a copy of
prices.json for yours. Formulas and a worked example: docs/operations.md, Sizing.

Example:
  tenant-analytics plan --events-per-second 500 --companies 10000 --score-latency 60`,
    )
    .action(runPlan);
}

function specs(): readonly InputSpec[] {
  return Object.values(INPUTS);
}

async function runPlan(options: PlanOptions): Promise<void> {
  const numbers: Partial<Record<InputName, string>> = {};
  for (const [name, { flag }] of Object.entries(INPUTS)) {
    const value = options[flag.replaceAll(/-[a-z]/g, ([, letter]) => (letter ?? '').toUpperCase())];
    if (typeof value === 'string') numbers[name as InputName] = value;
  }
  const { host, streams, prices } = options;
  const { plan } = await import('../hosts/node/plan.ts');
  const made = await plan({ numbers, host, streams, prices, texts: await readTexts(options) });
  await printLines(options.json === true ? [JSON.stringify(made, null, 2)] : planLines(made));
}
