import { Command, Option } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { type ObservingOptions, observing, withObserving } from './observing.ts';
import { numberOf } from './options.ts';
import { untilStopped } from './signals.ts';

interface ChurnScoringOptions extends ObservingOptions {
  readonly port: string;
  readonly modelPort: string;
  /** False with `--no-key`. */
  readonly key: boolean;
  readonly usage: string;
  readonly burst: string;
}

interface ServeOptions extends ObservingOptions {
  readonly port: string;
  readonly host: string;
  readonly modelFile?: string;
}

const KEY = 'CHURN_SCORING_API_KEY';

export function churnScoringCommand(): Command {
  const command = new Command('churn-scoring')
    .enablePositionalOptions()
    .description('the churn scoring service alone: the route, the handler as deployed, the model server')
    .option('--port <port>', 'of POST /prod/assessChurn', '8082')
    .option('--model-port <port>', 'of the model server; 0: a free one', '0')
    .option('--no-key', 'take calls without a key')
    .option('--usage <calls>', 'a second that are answered on average', '5000')
    .option('--burst <calls>', 'that are answered at once', '5000')
    .addHelpText(
      'after',
      `
Callers send the key of the environment variable ${KEY} as x-api-key. Listens on 127.0.0.1 only. Metrics of the model
are at /metrics. Ctrl-C stops it.`,
    )
    .action(runService)
    .addCommand(serveCommand());
  return withObserving(command);
}

function serveCommand(): Command {
  const command = new Command('serve')
    .description("the model server alone, as in SageMaker's container: GET /ping, POST /invocations")
    .addOption(new Option('--port <port>', 'where to listen').env('SAGEMAKER_BIND_TO_PORT').default('8080'))
    .addOption(new Option('--host <host>', 'in a container, 0.0.0.0').env('CHURN_MODEL_HOST').default('127.0.0.1'))
    .addOption(
      new Option('--model-file <file>', 'a model of model/train.py; the built-in one unless given').env(
        'CHURN_MODEL_FILE',
      ),
    )
    .action(runServe);
  return withObserving(command);
}

async function runService(asked: ChurnScoringOptions): Promise<void> {
  const { port, modelPort, key, usage, burst } = asked;
  const apiKey = key ? (process.env[KEY] ?? '') : '';
  if (key && apiKey === '') {
    throw new TenantAnalyticsError(
      'PARAMETER_MISSING',
      `${KEY}: expected the key that callers send as x-api-key, got nothing. Set it, or take calls without one with --no-key.`,
    );
  }
  const options = {
    port: numberOf(port, '--port', 0, 65_535),
    modelPort: numberOf(modelPort, '--model-port', 0, 65_535),
    apiKey,
    usage: { perSecond: numberOf(usage, '--usage', 1, 1e6), burst: numberOf(burst, '--burst', 1, 1e6) },
  };
  const { runChurnScoring } = await import('../hosts/node/churn-scoring.ts');
  await observing(asked, (observation) => {
    observation.secrets.hide(apiKey);
    return untilStopped((signal) =>
      runChurnScoring(
        { ...options, warn: observation.log.warn, observation },
        ({ url, modelUrl }) =>
          say(`Churn scoring: POST ${url}/prod/assessChurn, metrics at ${url}/metrics, model server at ${modelUrl}.`),
        signal,
      ),
    );
  });
}

async function runServe(asked: ServeOptions): Promise<void> {
  const { port, host, modelFile } = asked;
  const options = {
    port: numberOf(port, '--port', 0, 65_535),
    host,
    ...(modelFile === undefined ? {} : { modelFile }),
  };
  const { runModelServer } = await import('../hosts/node/churn-scoring.ts');
  await observing(asked, (observation) =>
    untilStopped((signal) =>
      runModelServer(
        { ...options, observation },
        ({ url }) => say(`Churn model: GET ${url}/ping, POST ${url}/invocations.`),
        signal,
      ),
    ),
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
