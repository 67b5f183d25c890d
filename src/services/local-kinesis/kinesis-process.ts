import { type ChildProcess, spawn } from 'node:child_process';
import { onAbort } from '../../base/abort.ts';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { sleep } from '../../base/sleep.ts';
import { packageFile } from './package-file.ts';

/** What bin/local-kinesis.cjs tells. */
type Told =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'not-listening'; readonly code: string; readonly message: string }
  | { readonly kind: 'locked' }
  | { readonly kind: 'unreadable'; readonly message: string }
  | { readonly kind: 'not-stored'; readonly message: string }
  | { readonly kind: 'ended'; readonly stored: boolean };

/** It waits for the end of the one before it, and reads all it holds. */
const START_LIMIT_MS = 240_000;
/** More than the child takes at most: see STOP_LIMIT_MS there. */
const STOP_LIMIT_MS = 130_000;
const KEPT_STDERR_CHARACTERS = 2_000;

/** One run of bin/local-kinesis.cjs, from its start to its end. */
export class KinesisProcess {
  /** Resolves when it ended though nobody ended it. */
  readonly failed: Promise<TenantAnalyticsError>;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #port: number;
  readonly #told: { [Kind in Told['kind']]?: Extract<Told, { kind: Kind }> } = {};
  readonly #over: Promise<void>;
  #isWanted = true;
  #stderr = '';
  #onListening: () => void = () => undefined;
  #stopping: Promise<void> | undefined;

  constructor(folder: string, port: number, persistMs: number, warn: (message: string) => void) {
    this.#folder = folder;
    this.#port = port;
    const order = JSON.stringify({ folder, port, persistMs });
    // Nothing of our environment: it would read settings of its own from there.
    const child = spawn(process.execPath, [packageFile('bin/local-kinesis.cjs'), order], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {},
    });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = `${this.#stderr}${text}`.slice(-KEPT_STDERR_CHARACTERS);
    });
    child.on('message', (message: Told) => {
      Object.assign(this.#told, { [message.kind]: message });
      if (message.kind === 'listening') this.#onListening();
      if (message.kind !== 'not-stored') return;
      warn(
        `local Kinesis could not write to ${folder}: ${message.message}. It tries again; until then its records are in memory only.`,
      );
    });
    this.#over = new Promise((resolve) => {
      // Both: what it told last may be read after its end.
      const look = () => {
        if (this.#hasEnded && !child.connected) resolve();
      };
      child.on('exit', look);
      child.on('disconnect', look);
      child.on('error', (error) => {
        this.#stderr = error.message;
        if (child.pid === undefined) resolve();
      });
    });
    this.failed = new Promise((resolve, reject) => {
      this.#over.then(() => {
        if (!this.#isWanted) return;
        this.#isWanted = false;
        resolve(this.#whyEnded());
      }, reject);
    });
  }

  get pid(): number {
    return this.#child.pid ?? Number.NaN;
  }

  get #hasEnded(): boolean {
    const { exitCode, signalCode, pid } = this.#child;
    return exitCode !== null || signalCode !== null || pid === undefined;
  }

  /** Waits until it answers, and returns its port; undefined when the signal is aborted before. */
  async listening(signal: AbortSignal): Promise<number | undefined> {
    const limit = new AbortController();
    const takeBack = onAbort(signal, () => limit.abort());
    const listens = new Promise<void>((resolve) => {
      this.#onListening = resolve;
    });
    await Promise.race([listens, this.#over, sleep(START_LIMIT_MS, limit.signal)]);
    takeBack();
    limit.abort();
    if (signal.aborted) return undefined;
    if (this.#hasEnded) throw this.#whyEnded();
    if (this.#told.listening !== undefined) return this.#told.listening.port;
    throw new TenantAnalyticsError(
      'SERVICE_FAILED',
      `local Kinesis: expected it to listen within ${START_LIMIT_MS} ms, it did not. Start again.`,
    );
  }

  /** Has it write everything and end; does nothing when it ended by itself before. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    if (!this.#isWanted) return;
    this.#isWanted = false;
    const limit = new AbortController();
    if (this.#child.connected) this.#child.send({ kind: 'stop' }, () => undefined);
    await Promise.race([this.#over, sleep(STOP_LIMIT_MS, limit.signal)]);
    limit.abort();
    await this.abandon();
    if (this.#told.ended?.stored === true) return;
    const reason = this.#told['not-stored']?.message ?? 'it ended before it had written them';
    throw new TenantAnalyticsError(
      'STORAGE_FAILED',
      `local Kinesis: expected to write the streams to ${this.#folder}, got: ${reason}. What they took last is lost.`,
    );
  }

  /** Ends it without a word. */
  async abandon(): Promise<void> {
    this.#isWanted = false;
    this.#child.kill('SIGKILL');
    await this.#over;
  }

  #whyEnded(): TenantAnalyticsError {
    const { 'not-listening': refused, locked, unreadable } = this.#told;
    if (refused !== undefined) return notListening(this.#port, refused.code, refused.message);
    if (locked !== undefined) {
      return new TenantAnalyticsError(
        'LOCKED',
        `${this.#folder} is in use by another local Kinesis. Stop it, or choose another folder.`,
      );
    }
    if (unreadable !== undefined) {
      return new TenantAnalyticsError(
        'INPUT_CORRUPT',
        `${this.#folder}/kinesis-data.json: expected the streams as JSON, got: ${unreadable.message}. Restore the file; or remove it, and with it all that the streams hold.`,
      );
    }
    const how = this.#child.signalCode ?? `exit code ${this.#child.exitCode}`;
    // A warning, as of a machine that is busy, is not why it ended.
    const last =
      this.#stderr
        .trim()
        .split('\n')
        .findLast((line) => !line.includes('[WARNING]')) ?? '';
    return new TenantAnalyticsError(
      'SERVICE_FAILED',
      `local Kinesis ended by itself (${how})${last === '' ? '' : `: ${last.slice(0, 300)}`}. Start again: its data is in ${this.#folder}.`,
    );
  }
}

function notListening(port: number, code: string, message: string): TenantAnalyticsError {
  if (code !== 'EADDRINUSE') {
    return new TenantAnalyticsError(
      'SERVICE_FAILED',
      `local Kinesis: expected to listen at 127.0.0.1:${port}, got: ${message}. Choose another port with --kinesis-port.`,
    );
  }
  return new TenantAnalyticsError(
    'PORT_TAKEN',
    `local Kinesis: port ${port} on 127.0.0.1 is taken by another program. Stop that program, or choose another port with --kinesis-port.`,
  );
}
