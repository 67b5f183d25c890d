import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { companyJobProcessing } from '../../src/pipeline/company-job-processing.ts';
import { readParameters } from '../../src/pipeline/parameters.ts';
import { seededWorld } from '../model/arbitraries.ts';
import { obviousModel } from '../model/obvious-model.ts';
import { type Outcome, readOutcome } from './outcome.ts';
import { type FlinkCheckpoint, type FlinkRecord, ScriptFlink } from './script-flink.ts';
import { SimulatedServices } from './simulated-services.ts';
import { callsOf, modelCompany, OUTPUT } from './simulation.ts';

/*
 * The theorem: the script that Flink runs makes the rows of the obvious model, whatever the sizes of bundles, the number of
 * subtasks, and how few keys stay in the script; also when the job crashes at any moment and goes on from its last
 * checkpoint with another parallelism.
 */

const FIRST_SEED = Number(process.env.SIMULATION_SEED ?? 1);
const SEEDS = Number(process.env.SCRIPT_SIMULATION_SEEDS ?? 150);
const MOST_LIVES = 6;

async function run(
  seed: number,
): Promise<{ outcome: Outcome; lives: number; expected: ReturnType<typeof obviousModel> }> {
  const random = seededRandom(seed);
  const oneOf = (...values: number[]) => values[Math.floor(random() * values.length)] ?? 1;
  const world = seededWorld(Math.floor(random() * 2 ** 32));
  const calls = callsOf(seed);
  const properties = [
    {
      PropertyGroupId: 'ApplicationConfigProperties',
      PropertyMap: { S3SinkPath: `file://${OUTPUT}`, ...calls.texts },
    },
  ];
  const inputs = [
    { name: 'companies.jsonl', live: false, columns: null },
    { name: 'jobs.jsonl', live: false, columns: null },
  ];
  const records = [...recordsOf(0, world.companiesJsonl), ...recordsOf(1, world.jobsJsonl)];
  let checkpoint: FlinkCheckpoint = {
    position: 0,
    maxTime: Number.NEGATIVE_INFINITY,
    states: new Map(),
    timers: new Map(),
    held: new Map(),
    lines: new Map(),
  };
  for (let lives = 1; ; lives++) {
    const services = new SimulatedServices(world, calls.random, calls.failureChance, () => false);
    const flink = new ScriptFlink(
      {
        application: { readParameters, graph: companyJobProcessing },
        properties,
        inputs,
        services,
        random,
        parallelism: oneOf(1, 2, 4),
        mostResident: oneOf(1, 3, 1000),
        outOfOrdernessMs: 60_000,
      },
      checkpoint,
    );
    const crashChance = lives < MOST_LIVES ? oneOf(0, 0.005, 0.02) : 0;
    const end = await flink.run(
      records,
      () => random() < crashChance,
      (taken) => {
        checkpoint = taken;
      },
    );
    if (end === 'crashed') continue;
    const expected = obviousModel(world.companies.map(modelCompany(world)), world.modelJobs, {
      decay: true,
      counting: 'rolling',
      outOfOrderness: 60_000,
    });
    return { outcome: readOutcome(checkpoint.lines, OUTPUT), lives, expected };
  }
}

function recordsOf(source: number, text: string): FlinkRecord[] {
  return text
    .split('\n')
    .map((line, index) => ({ source, line: index + 1, bytes: new TextEncoder().encode(line) }))
    .filter(({ bytes }) => bytes.length > 0);
}

describe('the script that Flink runs', () => {
  it(`makes the rows of the model, over crashes and rescaling: ${SEEDS} seeds from ${FIRST_SEED}`, {
    timeout: 300_000,
  }, async () => {
    let crashes = 0;
    let unscored = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const { outcome, lives, expected } = await run(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      });
      crashes += lives - 1;
      unscored += outcome.unscored;
      expect(outcome.rows, `seed ${seed}`).toEqual(expected.canonical);
      expect(outcome.deadLetters, `seed ${seed}`).toEqual(expected.deadLetters);
      expect(outcome.wrongScores, `seed ${seed}`).toEqual([]);
    }
    if (SEEDS < 100) return;
    expect(crashes).toBeGreaterThan(50);
    expect(unscored).toBeGreaterThan(100);
  });
});
