import { LIMITS } from '../../src/base/limits.ts';
import { nodeFileSystem } from '../../src/connectors/file/node-file-system.ts';
import { FilePartStore } from '../../src/connectors/file/part-store.ts';
import { s3Shelf } from '../../src/connectors/s3/s3-shelf.ts';
import type { CrashPoint, PartsState, World } from '../../src/runtime/ports.ts';
import { Pressure } from '../../src/runtime/pressure.ts';
import type { S3Server } from './s3-server.ts';

/** Multipart from 1,000 bytes on, 100 parts' worth of back-pressure. */
const limits = {
  ...LIMITS,
  finishedPartBytes: 10,
  pressureHighBytes: 1000,
  spoolBytes: 10_000,
  uploadPieceBytes: 1000,
};

export interface LifeOptions {
  readonly spool: string;
  readonly path?: string;
  readonly rollBytes?: number;
  readonly silenceMs?: number;
  readonly probe?: (point: CrashPoint) => void;
  readonly random?: () => number;
}

/** One life of a part store whose shelf is the server: from start to death, by `store.close()`. Waits take no time. */
export class S3Life {
  readonly store: FilePartStore;
  readonly pressure = new Pressure(limits.pressureHighBytes, 100);
  readonly warnings: string[] = [];
  readonly failures: unknown[] = [];
  /** Every wait between two attempts, in milliseconds. */
  readonly slept: number[] = [];

  constructor(server: S3Server, options: LifeOptions) {
    const world: World = {
      files: nodeFileSystem,
      clock: { now: () => 0 },
      probe: options.probe ?? (() => undefined),
      sleep: async (ms) => {
        this.slept.push(ms);
        await turn();
      },
      random: options.random ?? (() => 0.5),
      warn: (message) => this.warnings.push(message),
    };
    const shelf = s3Shelf(world, {
      path: options.path ?? 's3://bucket/rows',
      parameter: 'S3SinkPath',
      region: 'us-west-2',
      endpoint: server.endpoint,
      pathStyle: true,
      silenceMs: options.silenceMs ?? 10_000,
      spool: options.spool,
      limits,
    });
    const folder = { folder: options.spool, extension: 'txt', newRunID: 'run', shelf, limits };
    this.store = new FilePartStore(
      world,
      this.pressure,
      { ...folder, rollBytes: options.rollBytes ?? 1e9, rollAgeMs: 1e9 },
      (error) => this.failures.push(error),
    );
  }

  write(partition: string, line: string): void {
    const part = this.store.part(partition);
    part.buffer.utf8(`${line}\n`);
    part.wrote();
  }

  async checkpoint(): Promise<PartsState> {
    const barrier = this.store.barrier();
    await barrier.persist();
    await barrier.commit();
    return barrier.state;
  }

  /** Checkpoints until no complete part waits for its upload. */
  async settled(): Promise<PartsState> {
    for (;;) {
      await turn();
      const state = await this.checkpoint();
      if (state.finished.length === 0) return state;
    }
  }
}

/** Lets a millisecond pass: what is under way goes on. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
