import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { storageError, systemCode, TenantAnalyticsError } from '../../base/errors.ts';
import type { EventWriter } from '../../services/simulator/simulate.ts';

/** Lines are written when there are so many bytes of them. */
const WRITE_BYTES = 1024 * 1024;
const NEW_LINE = Uint8Array.of(10);

export interface SimulatedFiles extends EventWriter {
  /** Their paths, which are their names as streams. */
  readonly companies: string;
  readonly jobs: string;
  /** Writes what is left. */
  close(): Promise<void>;
}

/** New files for records, one a line. @throws TenantAnalyticsError OUTPUT_OCCUPIED, STORAGE_FULL, STORAGE_FAILED */
export async function simulatedFiles(folder: string): Promise<SimulatedFiles> {
  const [companies, jobs] = [join(folder, 'companies.jsonl'), join(folder, 'jobs.jsonl')];
  const files = new Map<string, LineFile>();
  try {
    await mkdir(folder, { recursive: true });
    for (const path of [companies, jobs]) files.set(path, new LineFile(path, await open(path, 'wx')));
  } catch (error) {
    for (const file of files.values()) await file.close();
    if (systemCode(error) !== 'EEXIST') throw storageError(error, `--output: cannot make files in ${folder}`);
    throw new TenantAnalyticsError(
      'OUTPUT_OCCUPIED',
      `--output: ${folder} was expected to have no companies.jsonl and no jobs.jsonl, and has. Name another folder, or remove them.`,
    );
  }
  return {
    companies,
    jobs,
    put: (path, _partitionKey, data) => files.get(path)?.add(data) ?? Promise.resolve(),
    async close() {
      for (const file of files.values()) await file.close();
    },
  };
}

class LineFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  #lines: Uint8Array[] = [];
  #bytes = 0;
  /** The writes so far, in their order; fails when one of them did. */
  #written: Promise<void> = Promise.resolve();

  constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** Resolves when there is place for more. */
  async add(line: Uint8Array): Promise<void> {
    this.#lines.push(line, NEW_LINE);
    this.#bytes += line.length + 1;
    if (this.#bytes >= WRITE_BYTES) await this.#write();
  }

  async close(): Promise<void> {
    try {
      await this.#write();
    } finally {
      await this.#handle.close();
    }
  }

  #write(): Promise<void> {
    const bytes = Buffer.concat(this.#lines, this.#bytes);
    this.#lines = [];
    this.#bytes = 0;
    this.#written = this.#written.then(() =>
      this.#handle.writeFile(bytes).catch((error: unknown) => {
        throw storageError(error, `Cannot write to ${this.#path}`);
      }),
    );
    return this.#written;
  }
}
