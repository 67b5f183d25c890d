/** What a call carries, so that what services log of it can be found by the `eventID` of the row that it was made for. */
export const CORRELATION_HEADER = 'x-correlation-id';

const MOST_CHARACTERS = 256;
const AS_IT_IS = /^[\x21-\x7e]{1,256}$/;
const LONE_SURROGATE = /[\ud800-\udfff]/gu;

/**
 * An event's id as a header's value: as it is when it is short and of visible ASCII, as ids that we give are; else
 * percent-encoded, and cut. An id is any text that a producer chose, and a header takes few: none may fail a call.
 */
export function correlationID(eventID: string): string {
  if (AS_IT_IS.test(eventID)) return eventID;
  const text = eventID.slice(0, MOST_CHARACTERS).replaceAll(LONE_SURROGATE, '\ufffd');
  return encodeURIComponent(text)
    .slice(0, MOST_CHARACTERS)
    .replace(/%[0-9A-F]?$/, '');
}

/** What a caller sent as the header, if it is an id that may be logged and sent back. */
export function readCorrelationID(value: unknown): string | undefined {
  return typeof value === 'string' && AS_IT_IS.test(value) ? value : undefined;
}
