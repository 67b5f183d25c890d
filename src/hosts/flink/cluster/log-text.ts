const MOST_CHARACTERS = 500;

/**
 * Why a JVM ended, from its log and its output: its last error with the cause at the bottom, else its last line.
 */
export function lastWords(log: string, out: string): string {
  const lines = log.split('\n');
  const at = lines.findLastIndex((line) => /^\S+ \S+ (ERROR|FATAL) /.test(line));
  if (at !== -1) {
    const error = (lines[at] ?? '').replace(/^\S+ \S+ (ERROR|FATAL)\s+\S+\s+(\[[^\]]*\] )?(- )?/, '');
    const cause = rootCause(lines.slice(at + 1).join('\n'));
    return short(cause === '' ? error : `${error.replace(/[.:]$/, '')}: ${cause}`);
  }
  // A JVM that refuses its options, or a main class that is not there, says so on its output.
  const said = out.split('\n').filter((line) => line.trim() !== '' && !/^\s+at |^SLF4J|^WARNING/.test(line));
  return short(
    (
      said.find((line) => /error|exception/i.test(line)) ??
      said.at(-1) ??
      lines.findLast((line) => line !== '') ??
      ''
    ).trim(),
  );
}

/** The innermost cause in the text of a Java stack trace, without the trace: `IOException: No such file`. */
export function rootCause(trace: string): string {
  const lines = trace.split('\n').map((line) => line.trimEnd());
  const isHead = (line: string) => line !== '' && !/^\s|^<Exception on server|^End of exception|^\.\.\. /.test(line);
  const last = lines.findLastIndex((line) => /^\s*Caused by: /.test(line));
  const at = last === -1 ? lines.findIndex(isHead) : last;
  if (at === -1) return '';
  const end = lines.findIndex(
    (line, index) => index > at && /^\s*(at |\.\.\. \d|Caused by: |Suppressed: )|^End of/.test(line),
  );
  const text = lines.slice(at, end === -1 ? at + 1 : end).join(' ');
  return short(text.replace(/^\s*Caused by: /, '').replace(/^(?:[a-z_][\w]*\.)+(?=[A-Z])/, ''));
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= MOST_CHARACTERS ? line.replace(/\.$/, '') : `${line.slice(0, MOST_CHARACTERS)} …`;
}
