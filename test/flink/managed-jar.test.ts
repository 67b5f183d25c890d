import { execFile } from 'node:child_process';
import { mkdir, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { delimiter, relative } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { LOG_CONFIG } from '../../src/hosts/flink/cluster/cluster-config.ts';
import { flinkTools } from '../../src/hosts/flink/cluster/tools.ts';
import { applicationJar } from '../../src/hosts/flink/control/jar.ts';
import { canonical } from '../integration/outputs.ts';
import { java11, missingForJava11 } from '../support/java-11.ts';
import { conformance, replayArguments } from './support/conformance.ts';
import { missing, needs } from './support/needs.ts';
import { scratchFolder } from './support/scratch.ts';
import { ARN, startSecretsServer } from './support/secrets-server.ts';

// The jar as the managed service gets it: what is in it, and that Java 11 runs it.

const runFile = promisify(execFile);
const folder = await scratchFolder();
const MOST_BYTES = 120e6;
/** Class files of Java 11. */
const MOST_MAJOR = 55;
/** Of one run: a job that fails is tried again without an end. */
const LIMIT_MS = 300_000;

let jar: string;
beforeAll(async () => {
  if (missing === null) jar = await applicationJar(() => undefined);
});

describe.skipIf(missing !== null)(`the jar${needs}`, () => {
  let files: string[];

  beforeAll(async () => {
    const at = `${folder}/jar`;
    await mkdir(at);
    await runFile('jar', ['--extract', '--file', jar], { cwd: at });
    const entries = await readdir(at, { recursive: true, withFileTypes: true });
    files = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(at, `${parentPath}/${name}`));
  });

  test('has less than 120 MB', async () => {
    expect((await stat(jar)).size).toBeLessThan(MOST_BYTES);
  });

  test('names its main class, and has the graph and V8 inside', async () => {
    const manifest = await readFile(`${folder}/jar/META-INF/MANIFEST.MF`, 'utf8');
    expect(manifest).toMatch(/^Main-Class: io\.tenantanalytics\.flinkhost\.Main\r?$/m);
    expect(files).toContain('graph.js');
    expect(files).toContainEqual(expect.stringMatching(/^libjavet-v8-linux-x86_64\.v\.[\d.]+\.so$/));
  });

  test('has class files of Java 11 or older only', async () => {
    const classes = files.filter((name) => name.endsWith('.class') && !name.startsWith('META-INF/versions/'));
    expect(classes.length).toBeGreaterThan(1000);
    const newer: string[] = [];
    for (const name of classes) {
      const file = await open(`${folder}/jar/${name}`);
      const { buffer } = await file.read(Buffer.alloc(8), 0, 8, 0);
      await file.close();
      if (buffer.readUInt32BE(0) !== 0xcafebabe || buffer.readUInt16BE(6) > MOST_MAJOR) newer.push(name);
    }
    expect(newer).toEqual([]);
  });

  test('brings no logging of its own: lines go to what the cluster logs with', () => {
    const own =
      /(^|\/)(org\/slf4j|org\/apache\/log4j|org\/apache\/logging|ch\/qos\/logback|log4j2?(-test)?\.(xml|properties)|StaticLoggerBinder)/;
    expect(files.filter((name) => own.test(name))).toEqual([]);
    expect(files.filter((name) => name.includes('SLF4JServiceProvider'))).toEqual([]);
  });

  test('has no SDK of AWS that another one on the class path could be taken for', () => {
    expect(files.filter((name) => /^(software\/amazon\/awssdk|org\/reactivestreams)\//.test(name))).toEqual([]);
  });
});

const lacks = missing ?? missingForJava11();
describe.skipIf(lacks !== null)(`on Java 11${lacks === null ? '' : ` (needs ${lacks})`}`, () => {
  /** The job in one JVM with what a cluster has on its class path; returns its log. */
  async function runs(name: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    await writeFile(`${folder}/log4j2.properties`, LOG_CONFIG);
    const { classPath } = await flinkTools();
    const log = `${folder}/${name}.log`;
    const options = [`-Dlog.file=${log}`, `-Dlog4j.configurationFile=${folder}/log4j2.properties`, '-Xmx1g'];
    await runFile(await java11(), [...options, 'io.tenantanalytics.flinkhost.Main', ...words], {
      env: { ...process.env, ...environment, CLASSPATH: [jar, classPath].join(delimiter) },
      maxBuffer: 16 * 1024 * 1024,
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    return readFile(log, 'utf8');
  }

  test.each([
    ['V8', 'v8'],
    ['GraalJS', 'graaljs'],
  ])('the job gives the expected rows to the last byte in %s', async (_, engine) => {
    const output = `${folder}/${engine}`;
    const log = await runs(engine, replayArguments(output, { engine }));
    expect(await canonical(output)).toBe(await conformance.expected());
    expect(log).toContain(`The graph runs in ${engine} `);
  });

  test('a secret is read by the operator that needs it, and by no other', async () => {
    const secrets = await startSecretsServer('a-key-that-nobody-may-see');
    try {
      const output = `${folder}/secret`;
      const log = await runs('secret', replayArguments(output, { predictChurnApiKey: ARN }), secrets.environment);
      expect(await canonical(output)).toBe(await conformance.expected());
      // Each of the two subtasks.
      expect(secrets.asked()).toBe(2);
      expect(log).not.toContain('a-key-that-nobody-may-see');
    } finally {
      await secrets.stop();
    }
  });
});
