const SAME_MS = 1000;

/**
 * Calls `stop` at the first Ctrl-C or SIGTERM; a second one ends the process at once. Returns how to take it back.
 */
export function stopOnSignal(stop: () => void): () => void {
  let firstAt = 0;
  const end = () => {
    // Under npm one Ctrl-C comes twice: from the terminal, and handed on.
    if (Date.now() - firstAt > SAME_MS) process.exit(1);
  };
  const first = () => {
    firstAt = Date.now();
    process.removeListener('SIGINT', first);
    process.removeListener('SIGTERM', first);
    process.on('SIGINT', end);
    process.on('SIGTERM', end);
    stop();
  };
  process.once('SIGINT', first);
  process.once('SIGTERM', first);
  return () => {
    for (const listener of [first, end]) {
      process.removeListener('SIGINT', listener);
      process.removeListener('SIGTERM', listener);
    }
  };
}

/** Runs what goes on until its signal is aborted: at the first Ctrl-C or SIGTERM. */
export async function untilStopped<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stopping = new AbortController();
  const takeBack = stopOnSignal(() => stopping.abort());
  try {
    return await run(stopping.signal);
  } finally {
    takeBack();
  }
}
