/**
 * Who is to be told, by signal. Thousands may wait on one signal that lives as long as the run: with a listener for each,
 * every wait would search the list of all of them (40,000 sleeps took 6 s), and Node warns of a leak.
 */
const told = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `tell` once the signal is aborted; does nothing on one that is already. Returns how to take it back. */
export function onAbort(signal: AbortSignal, tell: () => void): () => void {
  const all = told.get(signal) ?? listenTo(signal);
  all.add(tell);
  return () => {
    all.delete(tell);
  };
}

/** Resolves once the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return signal.aborted ? Promise.resolve() : new Promise((resolve) => onAbort(signal, resolve));
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const all = new Set<() => void>();
  told.set(signal, all);
  signal.addEventListener('abort', () => {
    for (const tell of all) tell();
  });
  return all;
}
