import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FlinkCluster, startCluster } from '../../src/hosts/flink/cluster/cluster.ts';
import { flinkRest } from '../../src/hosts/flink/cluster/flink-rest.ts';
import { oneLine, run, start } from '../integration/program.ts';
import { countingJar } from './support/counting-jar.ts';
import { missing, needs } from './support/needs.ts';
import { commandLines, pidOf } from './support/processes.ts';
import { scratchFolder } from './support/scratch.ts';

// The program, with a job of the tests in place of the application's: it counts, and says so when it counts wrong.

const folder = await scratchFolder();
const SECRET = 'a-key-that-nobody-may-see';
const OFFLINE = ['enrichment=join', 'scoring=off', 'checkpoint.interval=200ms'];
let jar: string;

beforeAll(async () => {
  if (missing === null) jar = await countingJar(folder);
});

const settings = (...all: string[]) => all.flatMap((setting) => ['--set', setting]);
/** What is in the files below a folder, but for jars. */
async function contents(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.jar'));
  return Promise.all(files.map(({ parentPath, name }) => readFile(`${parentPath}/${name}`, 'latin1')));
}

describe.skipIf(missing !== null)(`run --host flink${needs}`, () => {
  const words = (name: string, ...more: string[]) => [
    ...['run', '--host', 'flink', '--jar', jar],
    ...settings(
      `data.dir=${folder}/${name}`,
      `S3SinkPath=file://${folder}/${name}/rows`,
      `predictChurnApiKey=${SECRET}`,
    ),
    ...settings(...OFFLINE),
    ...more,
  ];
  const job = async (name: string) => JSON.parse(await readFile(`${folder}/${name}/flink/job.json`, 'utf8'));
  const submitted = /^Job ([0-9a-f]{32}) is submitted\.$/m;
  const withCheckpoint = (stderr: string) => /checkpoint [\d.]+ s ago/.test(stderr);
  /** Flink says how many checkpoints there were; the status line comes too seldom to wait for it. */
  const checkpoints = async (name: string) => {
    const { url, jobID } = await job(name).catch(() => ({ url: 'http://127.0.0.1:1', jobID: '' }));
    return flinkRest(url)
      .checkpoints(jobID)
      .then(
        ({ counts }) => counts,
        () => ({ completed: 0, restored: 0 }),
      );
  };

  test('Ctrl-C stops the job with a savepoint, and the next run goes on from it, with another parallelism', async () => {
    const first = start(...words('stopped'));
    await expect.poll(async () => (await checkpoints('stopped')).completed).toBeGreaterThan(2);
    // Nothing secret where others can look.
    for (const line of await commandLines(`${folder}/stopped/flink`)) {
      if (line.includes('org.apache.flink')) expect(line).not.toContain(SECRET);
    }
    first.send('SIGINT');
    const ended = await first.ended;
    expect(ended).toMatchObject({ code: 0 });
    const savepoint = /^Stopped\. The next run goes on from (\S+)$/m.exec(ended.stdout)?.[1];
    expect(savepoint).toContain(`${folder}/stopped/flink/savepoints/savepoint-`);
    expect(ended.stderr).toMatch(submitted);
    expect(ended.stderr).toMatch(/^Flink's web UI: http:\/\/127\.0\.0\.1:\d+\/#\/job\/running\//m);
    expect(await commandLines(`-Dlog.file=${folder}/stopped/flink/`)).toEqual([]);
    expect((await contents(`${folder}/stopped`)).filter((content) => content.includes(SECRET))).toEqual([]);

    const second = start(...words('stopped', '--parallelism', '3'));
    await expect.poll(() => second.stderr()).toContain('It runs.');
    expect(second.stderr()).toContain(`Going on from ${savepoint}`);
    await expect.poll(async () => (await checkpoints('stopped')).completed).toBeGreaterThan(2);
    expect(await checkpoints('stopped')).toMatchObject({ restored: 1 });
    second.send('SIGINT');
    expect(await second.ended).toMatchObject({ code: 0, stderr: expect.stringContaining('parallelism 3') });

    // A wrong path is refused, and takes nothing from what the next run goes on from.
    const remembered = await job('stopped');
    const wrong = await run(...words('stopped', '--from-savepoint', `file://${folder}/no-such`));
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/Cannot find checkpoint or savepoint .*no-such.*\[FLINK_REFUSED\]\n$/);
    expect(await job('stopped')).toEqual(remembered);
    expect(await commandLines(`-Dlog.file=${folder}/stopped/flink/`)).toEqual([]);
  });

  test('after kill -9 of the program nothing is left running, and the next run goes on from the last checkpoint', async () => {
    const first = start(...words('killed'));
    await expect.poll(async () => (await job('killed').catch(() => ({ progressed: false }))).progressed).toBe(true);
    first.send('SIGKILL');
    await first.ended;
    await expect.poll(() => commandLines(`-Dlog.file=${folder}/killed/flink/`)).toEqual([]);
    const second = start(...words('killed'));
    await expect.poll(() => second.stderr()).toContain('It runs.');
    expect(second.stderr()).toMatch(/^Going on from file:\/\/\S+\/checkpoints\/[0-9a-f]{32}\/chk-\d+$/m);
    await expect.poll(async () => (await checkpoints('killed')).completed).toBeGreaterThan(2);
    expect(await checkpoints('killed')).toMatchObject({ restored: 1 });
    second.send('SIGINT');
    expect(await second.ended).toMatchObject({ code: 0 });
  });

  test('a TaskManager that dies is replaced, and the job goes on with its counts', async () => {
    const program = start(...words('replaced'));
    await expect.poll(async () => (await job('replaced').catch(() => ({ progressed: false }))).progressed).toBe(true);
    const { restored } = await checkpoints('replaced');
    process.kill(await pidOf(`-Dlog.file=${folder}/replaced/flink/log/taskmanager-1.log`), 'SIGKILL');
    await expect.poll(() => program.stderr()).toContain('Another one is started in its place.');
    await expect.poll(async () => (await checkpoints('replaced')).restored).toBeGreaterThan(restored);
    const { completed } = await checkpoints('replaced');
    await expect.poll(async () => (await checkpoints('replaced')).completed).toBeGreaterThan(completed + 1);
    program.send('SIGINT');
    expect(await program.ended).toMatchObject({ code: 0 });
  });

  test('a JobManager that dies ends it with 1, and the next run goes on from the last checkpoint', async () => {
    const program = start(...words('headless'));
    await expect.poll(async () => (await job('headless').catch(() => ({ progressed: false }))).progressed).toBe(true);
    process.kill(await pidOf(`-Dlog.file=${folder}/headless/flink/log/jobmanager-1.log`), 'SIGKILL');
    const { code, stderr } = await program.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/Flink's jobmanager-1 ended .*it goes on from the last checkpoint\. \[FLINK_FAILED\]\n$/);
    expect(stderr).not.toContain('Stopping with a savepoint.');
    expect(await commandLines(`-Dlog.file=${folder}/headless/flink/`)).toEqual([]);
    const second = start(...words('headless'));
    await expect.poll(() => second.stderr()).toMatch(/^Going on from file:\S+\/chk-\d+$/m);
    second.send('SIGKILL');
    await second.ended;
  });

  test('with --detach the job goes on; the same command without it finds, watches and stops it', async () => {
    const left = await run(...words('detached', '--detach'));
    expect(left).toMatchObject({ code: 0, stdout: expect.stringMatching(/^The job goes on\./) });
    const { jobID } = await job('detached');
    const second = start(...words('detached'));
    await expect.poll(() => withCheckpoint(second.stderr())).toBe(true);
    expect(second.stderr()).toContain(`Job ${jobID} runs already.`);
    const two = await run(...words('detached', '--from-savepoint', 'file:///x'));
    expect({ code: two.code, line: oneLine(two.stderr) }).toMatchObject({ line: expect.stringMatching(/\[LOCKED\]$/) });
    second.send('SIGINT');
    expect(await second.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('Stopped.') });
    expect(await commandLines(`-Dlog.file=${folder}/detached/flink/`)).toEqual([]);
  });

  describe('with --cluster', () => {
    let cluster: FlinkCluster;
    beforeAll(async () => {
      cluster = await startCluster({ folder: `${folder}/theirs`, taskManagers: 1, slots: 2 });
    });
    afterAll(() => cluster?.stop());

    test('the job outlives the program; the next run finds it, stops it with a savepoint, and leaves the cluster', async () => {
      const first = start(...words('guest', '--cluster', `${cluster.url}/`));
      await expect.poll(async () => (await job('guest').catch(() => ({ progressed: false }))).progressed).toBe(true);
      first.send('SIGKILL');
      await first.ended;
      const { jobID } = await job('guest');
      const second = start(...words('guest', '--cluster', cluster.url));
      await expect.poll(() => second.stderr()).toContain('It runs.');
      expect(second.stderr()).toContain(`Job ${jobID} runs already.`);
      const here = await run(...words('guest'));
      expect(here.stderr).toMatch(/guest\/flink is in use by process \d+.*\[LOCKED\]\n$/);
      second.send('SIGINT');
      expect(await second.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('/theirs/savepoints/') });
      expect((await cluster.rest.job(jobID)).state).toBe('FINISHED');
      expect(await cluster.rest.overview()).toMatchObject({ taskmanagers: 1, 'slots-available': 2 });
    });

    test('a job that ended without a savepoint goes on from its last checkpoint there', async () => {
      const first = start(...words('cancelled', '--cluster', cluster.url));
      await expect
        .poll(async () => (await job('cancelled').catch(() => ({ progressed: false }))).progressed)
        .toBe(true);
      await cluster.rest.cancel((await job('cancelled')).jobID);
      expect(await first.ended).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/CANCELED.*\[JOB_FAILED\]\n$/),
      });
      const second = start(...words('cancelled', '--cluster', cluster.url));
      await expect.poll(() => second.stderr()).toContain('It runs.');
      expect(second.stderr()).toMatch(/^Going on from file:\S+\/checkpoints\/[0-9a-f]{32}\/chk-\d+$/m);
      second.send('SIGINT');
      expect(await second.ended).toMatchObject({ code: 0 });
    });

    test('a job that runs there is not started a second time elsewhere', async () => {
      const left = await run(...words('elsewhere', '--cluster', cluster.url, '--detach'));
      expect(left).toMatchObject({ code: 0 });
      const local = await run(...words('elsewhere'));
      expect({ code: local.code, line: oneLine(local.stderr) }).toEqual({
        code: 1,
        line: expect.stringMatching(/still runs at .*two of it would count twice.*\[LOCKED\]$/),
      });
      await cluster.rest.cancel((await job('elsewhere')).jobID);
    });

    test('one that is not there is told by its URL', async () => {
      const { code, stderr } = await run(...words('nobody', '--cluster', 'http://127.0.0.1:1'));
      expect(code).toBe(1);
      expect(oneLine(stderr)).toMatch(/No answer from Flink at http:\/\/127\.0\.0\.1:1.*\[FLINK_UNREACHABLE\]$/);
    });
  });

  test.each([
    ['--parallelism', ['--parallelism', '0'], /--parallelism: expected 1 to 128, got 0\. \[USAGE\]$/],
    ['--cluster', ['--cluster', 'localhost'], /--cluster: expected a URL .*, got localhost\. \[USAGE\]$/],
    ['--metrics-port', ['--metrics-port', '1'], /--metrics-port is for the Node host.*\[USAGE\]$/],
  ])('a bad %s is refused', async (_, more, message) => {
    const { code, stderr } = await run(...words('refused', ...more));
    expect({ code, line: oneLine(stderr) }).toEqual({ code: 2, line: expect.stringMatching(message) });
  });
});

describe.skipIf(missing !== null)(`replay --host flink${needs}`, () => {
  const JOBS = 12_000;
  const files = () => [...['--companies', `${folder}/companies.jsonl`], ...['--jobs', `${folder}/jobs.jsonl`]];
  const words = (output: string, ...more: string[]) => [
    ...['replay', '--host', 'flink', '--jar', jar, ...files(), '--output', `${folder}/${output}`],
    ...settings(...OFFLINE),
    ...more,
  ];
  /** The numbers in the finished files. */
  async function rows(output: string): Promise<number[]> {
    const at = `${folder}/${output}/dt=2025-01-01`;
    const names = (await readdir(at).catch(() => [])).filter((name) => !/^[._]/.test(name));
    const texts = await Promise.all(names.map((name) => readFile(`${at}/${name}`, 'utf8')));
    return texts.flatMap((text) => text.trim().split('\n').map(Number)).sort((a, b) => a - b);
  }
  const all = Array.from({ length: JOBS }, (_, index) => index);

  beforeAll(async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(
      `${folder}/companies.jsonl`,
      '{"companyID":"a","industry":"x","revenu":1,"employees":1,"job30":0,"job90":0,"monthlyFee":1,"totalFee":1}\n',
    );
    await writeFile(
      `${folder}/jobs.jsonl`,
      '{"companyID":"a","userID":"u","nbJobs":1,"creationDate":1735689600000}\n'.repeat(JOBS),
    );
  });

  test('killed with kill -9 in mid-run it goes on, has each row once, and after the end it changes nothing', async () => {
    const first = start(...words('killed-replay'));
    await expect.poll(async () => (await rows('killed-replay')).length).toBeGreaterThan(0);
    first.send('SIGKILL');
    await first.ended;
    const second = await run(...words('killed-replay', '--parallelism', '2'));
    expect(second).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Done in /) });
    expect(second.stderr).toContain('Going on from the last checkpoint.');
    expect(await rows('killed-replay')).toEqual(all);
    const third = await run(...words('killed-replay'));
    expect(third).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^Nothing to do, /) });
    expect(await rows('killed-replay')).toEqual(all);
    const other = await run(...words('killed-replay', ...settings('activity.decay=off')));
    expect(other.code).toBe(2);
    expect(oneLine(other.stderr)).toMatch(/activity\.decay was "on", now "off".*\[INPUT_CHANGED\]$/);
    const node = await run(
      ...words('killed-replay')
        .map((word) => (word === 'flink' ? 'node' : word))
        .filter((word) => word !== '--jar' && word !== jar),
    );
    expect(node.code).toBe(2);
    expect(oneLine(node.stderr)).toMatch(/belongs to a replay on the Flink host.*\[OUTPUT_OCCUPIED\]$/);
  });

  test('one that was killed at the very moment of its end is not begun anew: that would double its rows', async () => {
    const state = `${folder}/ended-replay/.state/flink`;
    expect(await run(...words('ended-replay'))).toMatchObject({ code: 0 });
    // As it is left when Flink has removed the last checkpoint, and the program could not say that it was the end.
    const jobID = '0123456789abcdef0123456789abcdef';
    const ended = JSON.parse(await readFile(`${state}/replay.json`, 'utf8'));
    await writeFile(`${state}/replay.json`, JSON.stringify({ ...ended, ended: false, jobIDs: [jobID] }));
    const unsure = await run(...words('ended-replay'));
    expect(unsure.code).toBe(1);
    expect(oneLine(unsure.stderr)).toMatch(/nothing says that it came to its end.*\[CHECKPOINT_CORRUPT\]$/);
    await mkdir(`${state}/archive`);
    await writeFile(`${state}/archive/${jobID}`, '{}');
    expect(await run(...words('ended-replay'))).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Done in /) });
    expect(await rows('ended-replay')).toEqual(all);
  });

  test('one that fails ends with 1 and the innermost reason, and nothing is left running', async () => {
    await writeFile(`${folder}/failing.jsonl`, await readFile(`${folder}/jobs.jsonl`));
    const failing = words('failed-replay').map((word) => word.replace(/jobs\.jsonl$/, 'failing.jsonl'));
    const { code, stderr } = await run(...failing);
    expect(code).toBe(1);
    expect(stderr).toMatch(/The job failed.*: IllegalStateException: told to fail at 100\..*\[JOB_FAILED\]\n$/);
    expect(await commandLines(`-Dlog.file=${folder}/failed-replay/.state/flink/`)).toEqual([]);
  });

  test('Ctrl-C stops it, and called again it goes on to the same rows', async () => {
    const first = start(...words('stopped-replay'));
    await expect.poll(async () => (await rows('stopped-replay')).length).toBeGreaterThan(0);
    first.send('SIGINT');
    expect(await first.ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/\[STOPPED\]\n$/) });
    expect(await run(...words('stopped-replay'))).toMatchObject({ code: 0 });
    expect(await rows('stopped-replay')).toEqual(all);
  });
});
