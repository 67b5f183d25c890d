import type { ByteWriter } from '../base/bytes.ts';
import { dayOf, isoDate } from '../base/time.ts';
import type { DeadLetter } from '../runtime/contract.ts';

/** One line of JSON, `payload` in base64. */
export function encodeDeadLetter(letter: DeadLetter, to: ByteWriter): void {
  const { source, shardId, sequenceNumber, arrivalTime, reason, message } = letter;
  const fields = JSON.stringify({ source, shardId, sequenceNumber, arrivalTime, reason, message });
  to.utf8(`${fields.slice(0, -1)},"payload":"`);
  to.utf8(base64(letter.payload));
  to.utf8('"}\n');
}

/** Dead letters lie by the day their record arrived. */
export function deadLetterPartition(letter: DeadLetter): string {
  return `dt=${isoDate(dayOf(letter.arrivalTime))}`;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** RFC 4648 with padding; a bare JavaScript engine has no Buffer, and `btoa` is not part of the language. */
export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const first = bytes[at] ?? 0;
    const second = bytes[at + 1];
    const third = bytes[at + 2];
    const group = (first << 16) | ((second ?? 0) << 8) | (third ?? 0);
    text += ALPHABET.charAt(group >> 18) + ALPHABET.charAt((group >> 12) & 63);
    text += second === undefined ? '=' : ALPHABET.charAt((group >> 6) & 63);
    text += third === undefined ? '=' : ALPHABET.charAt(group & 63);
  }
  return text;
}
