export interface SuiteOptions {
  /** Small input only. */
  readonly quick: boolean;
  /** Rounds; each runs every contender once. */
  readonly runs: number;
  /** Ids of contenders to measure beside the reference; all when undefined. */
  readonly only?: readonly string[] | undefined;
  /** Events of the input; the suite's own number when undefined. */
  readonly events?: number | undefined;
}

/** A family of benchmarks, started by its name: `npm run bench -- NAME`. */
export interface Suite {
  readonly name: string;
  readonly summary: string;
  /** The ids `--only` may name; the first is the reference. */
  readonly contenders: readonly string[];
  /** Whether `--events` may say how large its input is. */
  readonly takesEvents?: true;
  /** Prints its tables; false when a contender failed or its rows were wrong. */
  run(options: SuiteOptions): Promise<boolean>;
}
