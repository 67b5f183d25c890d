import { MAX_TIME, parseTime } from '../base/time.ts';
import { Rejection } from '../runtime/contract.ts';

/**
 * The field rules of job and company records, shared by JSON and CSV. Each reader returns the value, or the Rejection
 * that says what was expected and what came. A CSV cell is always text; in JSON a number must be a number.
 */

export const MAX_COMPANY_ID_CHARACTERS = 128;

/** Half a character (`"\\ud800"` in JSON): it has no UTF-8 form, so it would come back from state as another text. */
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/** A record's fields by their canonical names; absent and null fields are undefined. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether values were text to begin with (CSV), so that text that reads as a number is one. */
export type Notation = 'json' | 'csv';

export function companyIDField(fields: Fields): string | Rejection {
  const value = fields.companyID;
  if (typeof value !== 'string' || LONE_SURROGATE.test(value)) {
    return invalid('companyID', 'a text of 1 to 128 characters', value);
  }
  if (value.length > 0 && value.length <= MAX_COMPANY_ID_CHARACTERS) return value;
  const characters = [...value].length;
  if (characters > 0 && characters <= MAX_COMPANY_ID_CHARACTERS) return value;
  return new Rejection('invalid', `companyID: expected 1 to 128 characters, got ${characters}`);
}

export function textField(fields: Fields, name: string): string | Rejection {
  const value = fields[name];
  return typeof value === 'string' && !LONE_SURROGATE.test(value) ? value : invalid(name, 'a text', value);
}

/** An integer from 0 to 2^53 - 1: every count and size stays exact. */
export function countField(fields: Fields, name: string, notation: Notation): number | Rejection {
  const value = fields[name];
  const count = notation === 'csv' && typeof value === 'string' ? digits(value) : value;
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count + 0;
  return invalid(name, 'an integer of at least 0', value);
}

export function numberField(fields: Fields, name: string, notation: Notation): number | Rejection {
  const value = fields[name];
  const number = notation === 'csv' && typeof value === 'string' ? decimal(value) : value;
  if (typeof number === 'number' && Number.isFinite(number)) return number + 0;
  return invalid(name, 'a number', value);
}

/** A time, or undefined when the record does not carry one. */
export function timeField(fields: Fields, name: string): number | undefined | Rejection {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value === 'string') {
    const time = parseTime(value.trim());
    if (time !== undefined) return time;
  } else if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TIME) {
    return value + 0;
  }
  return invalid(name, 'epoch milliseconds or ISO 8601, from 1970 to 9999', value);
}

export function invalid(name: string, expected: string, value: unknown): Rejection {
  const came = value === undefined ? 'nothing' : shown(value);
  return new Rejection('invalid', `${name}: expected ${expected}, got ${came}`);
}

const SHOWN_CHARACTERS = 60;

/** A value as an error message shows it: short, and whatever it is (nested values may be deeper than any stack). */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}

function digits(text: string): number | undefined {
  const trimmed = text.trim();
  return /^\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}

function decimal(text: string): number | undefined {
  const trimmed = text.trim();
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : undefined;
}
