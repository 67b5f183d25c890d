// `npm run test:flink`, with options that vitest does not know.
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

const HELP = `Usage: npm run test:flink -- [options] [FILE...]

Needs a JDK (11 or later) and Maven. Options:
  --all     also what takes long: streams that split, submission by the commands, orphans, the native peer
  --soak    kills twenty times in place of three
  --help
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean' }, soak: { type: 'boolean' }, help: { type: 'boolean' } },
});
if (values.help) {
  process.stdout.write(HELP);
} else {
  const words = ['run', '--config', 'vitest.flink.config.ts', ...positionals];
  const vitest = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', ...words], {
    stdio: 'inherit',
    env: {
      ...process.env,
      ...(values.all || positionals.length > 0 ? { FLINK_TESTS: 'all' } : {}),
      ...(values.soak ? { FLINK_SOAK: '1' } : {}),
    },
  });
  vitest.once('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}
