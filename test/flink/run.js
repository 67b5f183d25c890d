// `npm run test:flink`, with options that vitest does not know; those that it knows it gets.
import { spawn } from 'node:child_process';

const HELP = `Usage: npm run test:flink -- [options] [FILE...]

Needs a JDK (11 or later) and Maven. Options:
  --all     also what takes long: streams that split, the commands, orphans, the native peer
  --soak    kills twenty times in place of three
  --help
Other options are vitest's, such as -t NAME.
`;
const OURS = new Set(['--all', '--soak', '--help']);

const words = process.argv.slice(2);
const asked = (option) => words.includes(option);
const others = words.filter((word) => !OURS.has(word));
if (asked('--help')) {
  process.stdout.write(HELP);
} else {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.flink.config.ts', ...others];
  const child = spawn(process.execPath, vitest, {
    stdio: 'inherit',
    env: {
      ...process.env,
      ...(asked('--all') || others.length > 0 ? { FLINK_TESTS: 'all' } : {}),
      ...(asked('--soak') ? { FLINK_SOAK: '1' } : {}),
    },
  });
  child.once('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}
