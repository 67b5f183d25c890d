import { Command, CommanderError } from 'commander';
import { messageOf, TenantAnalyticsError } from '../base/errors.ts';
import { appCommand } from './app.ts';
import { canonicalCommand } from './canonical.ts';
import { churnScoringCommand } from './churn-scoring.ts';
import { dashboardCommand } from './dashboard.ts';
import { deadLettersCommand } from './dead-letters.ts';
import { flinkSmokeCommand } from './flink-smoke.ts';
import { insightsCommand } from './insights.ts';
import { ToldError } from './observing.ts';
import { planCommand } from './plan.ts';
import { replayCommand } from './replay.ts';
import { runCommand } from './run.ts';
import { sendCommand, simulateCommand } from './simulate.ts';
import { startCommand } from './start.ts';
import { tenantManagerCommand } from './tenant-manager.ts';
import { version } from './version.ts';

/** All commands, with their options and help. */
export function program(): Command {
  return new Command('tenant-analytics')
    .description('Counts and churn signals of tenants from their job events, exactly once.')
    .version(version())
    .option('--debug', 'show the stack of an error')
    .addCommand(startCommand())
    .addCommand(runCommand())
    .addCommand(replayCommand())
    .addCommand(canonicalCommand())
    .addCommand(deadLettersCommand())
    .addCommand(dashboardCommand())
    .addCommand(insightsCommand())
    .addCommand(appCommand())
    .addCommand(flinkSmokeCommand())
    .addCommand(planCommand())
    .addCommand(tenantManagerCommand())
    .addCommand(churnScoringCommand())
    .addCommand(simulateCommand())
    .addCommand(sendCommand())
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage. Each command has its own --help.')
    .showHelpAfterError('(add --help for more)');
}

/** Runs the command line; the answer is the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function main(words: readonly string[]): Promise<number> {
  // Node 20 is supported, by the versions of the SDK that are locked: its warning would help nobody here.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe);
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const commands = program();
  try {
    prepare(commands);
    await commands.parseAsync(words, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return error instanceof ToldError ? error.exitCode : report(error, words.includes('--debug'));
  }
}

/** Who read our output went away (`| head`, Ctrl-C before `| tee`): no reason to end before the last checkpoint. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

/** Errors come to `main`, and `--debug` may stand behind any command. */
function prepare(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) {
    child.option('--debug', 'show the stack of an error');
    prepare(child);
  }
}

function report(error: unknown, debug: boolean): number {
  const code = error instanceof TenantAnalyticsError ? error.code : 'UNEXPECTED';
  process.stderr.write(`tenant-analytics: ${messageOf(error).replaceAll(/\s*\n\s*/g, ' ')} [${code}]\n`);
  if (debug && error instanceof Error) {
    process.stderr.write(`${error.stack}\n`);
    if (error.cause instanceof Error) process.stderr.write(`Caused by: ${error.cause.stack}\n`);
  }
  return error instanceof TenantAnalyticsError ? error.exitCode : 1;
}
