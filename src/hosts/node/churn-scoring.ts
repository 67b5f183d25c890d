import { aborted } from '../../base/abort.ts';
import {
  type StartChurnScoringOptions,
  type StartModelServerOptions,
  startChurnScoring,
  startModelServer,
} from '../../services/churn-scoring/start.ts';

export type { StartChurnScoringOptions, StartModelServerOptions };

/** Churn scoring with its model server, until the signal is aborted. */
export async function runChurnScoring(
  options: StartChurnScoringOptions,
  ready: (urls: { readonly url: string; readonly modelUrl: string }) => void,
  signal: AbortSignal,
): Promise<void> {
  await runUntilAborted(await startChurnScoring(options), ready, signal);
}

/** The model server alone, until the signal is aborted. */
export async function runModelServer(
  options: StartModelServerOptions,
  ready: (urls: { readonly url: string }) => void,
  signal: AbortSignal,
): Promise<void> {
  await runUntilAborted(await startModelServer(options), ready, signal);
}

async function runUntilAborted<S extends { stop(): Promise<void> }>(
  service: S,
  ready: (service: S) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    ready(service);
    await aborted(signal);
  } finally {
    await service.stop();
  }
}
