/**
 * Calls `stop` at the first Ctrl-C or SIGTERM; a second one ends the process at once. Returns how to take it back.
 */
export function stopOnSignal(stop: () => void): () => void {
  const end = () => process.exit(1);
  const first = () => {
    process.removeListener('SIGINT', first);
    process.removeListener('SIGTERM', first);
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
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
