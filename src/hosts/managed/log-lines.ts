/** A line of the log as the managed service writes it: a JSON object. */
export interface LogLine {
  readonly level: string;
  readonly logger: string;
  readonly message: string;
  /** The stack of an exception, line by line. */
  readonly thrown: readonly string[];
}

const MOST_STACK_LINES = 20;

/** Undefined for text that is no such object: it is shown as it is. */
export function logLine(text: string): LogLine | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { messageType, logger, message, throwableInformation } = parsed as Readonly<Record<string, unknown>>;
  if (typeof message !== 'string') return undefined;
  return {
    level: typeof messageType === 'string' ? messageType : '',
    logger: typeof logger === 'string' ? logger : '',
    message,
    thrown: typeof throwableInformation === 'string' ? throwableInformation.split(/\r?\n/) : [],
  };
}

/** `2026-03-01T12:00:00.123Z WARN  StagesOperator: …`, and the head of a stack below it. */
export function readableLine(at: number, text: string, wholeStack: boolean): string {
  const time = new Date(at).toISOString();
  const line = logLine(text);
  if (line === undefined) return `${time} ${plain(text.trimEnd())}`;
  const shown = wholeStack ? line.thrown : line.thrown.slice(0, MOST_STACK_LINES);
  const left = line.thrown.length - shown.length;
  return [
    `${time} ${line.level.padEnd(5)} ${plain(line.logger.split('.').at(-1) ?? '')}: ${plain(line.message)}`,
    ...shown.map((each) => `    ${plain(each.trim())}`),
    ...(left > 0 ? [`    … ${left} more lines (--stack shows them)`] : []),
  ].join('\n');
}

/** The innermost cause of a stack says most. */
export function causeOf({ message, thrown }: LogLine): string {
  const cause = thrown.findLast((line) => line.startsWith('Caused by: '))?.replace('Caused by: ', '');
  return plain(cause ?? thrown[0] ?? message);
}

/** What comes from elsewhere must not steer a terminal. */
function plain(text: string): string {
  return text.replaceAll(/[^\P{Cc}\t\n]/gu, '?');
}
