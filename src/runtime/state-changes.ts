/** What changed in the state of a stage since its last barrier: for the checkpoints of every host. */
export interface KeyChange {
  readonly key: string;
  /** Null: the key was removed. */
  readonly state: Uint8Array | null;
}

/** The changed keys of one stage; `entries` holds `count` of them, encoded. */
export interface StageChanges {
  readonly stage: string;
  readonly codecVersion: number;
  readonly count: number;
  readonly entries: Uint8Array;
}
