import { csvParseRows } from 'd3-dsv';
import { messageOf } from '../base/errors.ts';
import { decodeUtf8 } from '../base/utf8.ts';
import { type Columns, Rejection } from '../runtime/contract.ts';
import { type Fields, type Notation, shown } from './fields.ts';

/** One record as fields by canonical name, whatever notation it came in. */
export interface Notated {
  readonly notation: Notation;
  readonly fields: Fields;
}

/** The names a kind of record is known by, and the order of its columns in a file without header. */
export interface RecordShape {
  readonly what: string;
  /** Canonical name → other names in use, compared without case, `#`, `_` and blanks. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  readonly required: readonly string[];
  /** Columns of a CSV record without header, in order; the first `required.length` must be there. */
  readonly positions: readonly string[];
}

/** A record whose first non-blank character is `{` is JSON, else CSV (one line of RFC 4180). */
export function readNotation(
  bytes: Uint8Array,
  from: number,
  to: number,
  columns: Columns | null,
  shape: RecordShape,
): Notated | Rejection {
  const text = decodeUtf8(bytes, from, to);
  if (text === undefined) return new Rejection('malformed', `expected ${shape.what} in UTF-8, got other bytes`);
  return text.trimStart().startsWith('{') ? readJson(text, shape) : readCsv(text, columns, shape);
}

/** One record as JSON text. */
export function readJson(text: string, shape: RecordShape): Notated | Rejection {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return new Rejection('malformed', `expected ${shape.what} as a JSON object: ${messageOf(error)}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return new Rejection('malformed', `expected ${shape.what} as a JSON object, got ${shown(parsed)}`);
  }
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(parsed)) {
    const canonical = canonicalJsonName(name, shape);
    if (canonical === undefined || value === null) continue;
    if (canonical === name || fields[canonical] === undefined) fields[canonical] = value;
  }
  return { notation: 'json', fields };
}

/** JSON names are exact; only the aliases that producers use today are taken besides. */
const JSON_ALIASES: Readonly<Record<string, string>> = {
  company_id: 'companyID',
  tenantID: 'companyID',
  employee: 'employees',
};

function canonicalJsonName(name: string, shape: RecordShape): string | undefined {
  if (Object.hasOwn(shape.names, name)) return name;
  const canonical = Object.hasOwn(JSON_ALIASES, name) ? JSON_ALIASES[name] : undefined;
  return canonical !== undefined && Object.hasOwn(shape.names, canonical) ? canonical : undefined;
}

function readCsv(text: string, columns: Columns | null, shape: RecordShape): Notated | Rejection {
  const cells = csvCells(text);
  if (cells === undefined)
    return new Rejection(
      'malformed',
      `expected ${shape.what} as a CSV line: a quote does not open and close a whole cell`,
    );
  const fields: Record<string, unknown> = {};
  if (columns === null) {
    if (cells.length < shape.required.length || cells.length > shape.positions.length) {
      const expected = `${shape.required.length} to ${shape.positions.length} columns (${shape.positions.join(',')})`;
      return new Rejection('malformed', `expected ${shape.what} as JSON or as ${expected}, got ${cells.length}`);
    }
    for (const [index, name] of shape.positions.entries()) setCell(fields, name, cells[index], shape);
    return { notation: 'csv', fields };
  }
  for (const [name, index] of Object.entries(columns)) {
    if (cells[index] === undefined && shape.required.includes(name)) {
      return new Rejection(
        'malformed',
        `${name}: expected in column ${index + 1}, as the header says, got ${cells.length} columns`,
      );
    }
    setCell(fields, name, cells[index], shape);
  }
  return { notation: 'csv', fields };
}

function setCell(fields: Record<string, unknown>, name: string, cell: string | undefined, shape: RecordShape): void {
  if (cell === undefined || (cell === '' && !shape.required.includes(name))) return;
  fields[name] = cell;
}

/** Whether quotes are those of RFC 4180: one opens and closes a whole cell, and is doubled inside it. */
function hasWholeQuotes(line: string): boolean {
  for (let at = 0; ; at++) {
    if (line[at] === '"') {
      do at = line.indexOf('"', at + 1) + 1;
      while (at > 0 && line[at] === '"');
      if (at === 0) return false;
    } else {
      while (at < line.length && line[at] !== ',') {
        if (line[at] === '"' || line[at] === '\r') return false;
        at++;
      }
    }
    if (at >= line.length) return true;
    if (line[at] !== ',') return false;
  }
}

/** The cells of one CSV line, or undefined when its quotes are not those of RFC 4180. */
function csvCells(line: string): readonly string[] | undefined {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  if (!text.includes('"')) return text.split(',');
  return hasWholeQuotes(text) ? (csvParseRows(text)[0] ?? ['']) : undefined;
}

/**
 * What the first line of a file says: undefined when it is a record; its columns when it is a header; a Rejection when
 * it is a header without a required column. A line that names all required columns is one; a line that
 * names the company's and holds no number was meant to be one.
 */
export function readHeader(line: string, shape: RecordShape): Columns | undefined | Rejection {
  if (line.trimStart().startsWith('{')) return undefined;
  const cells = csvCells(line);
  if (cells === undefined) return undefined;
  const columns: Record<string, number> = {};
  for (const [index, cell] of cells.entries()) {
    const canonical = canonicalColumn(cell, shape);
    if (canonical !== undefined && columns[canonical] === undefined) columns[canonical] = index;
  }
  const missing = shape.required.filter((name) => columns[name] === undefined);
  if (missing.length === 0) return columns;
  const isRecord = cells.some((cell) => /^\s*[+-]?\d+(\.\d+)?\s*$/.test(cell));
  if (columns.companyID === undefined || isRecord) return undefined;
  const known = missing.map((name) => [name, ...(shape.names[name] ?? [])].join(' or '));
  return new Rejection('malformed', `its header has no column for ${known.join(', nor for ')}: ${line.slice(0, 200)}`);
}

function canonicalColumn(cell: string, shape: RecordShape): string | undefined {
  const wanted = plain(cell);
  return Object.keys(shape.names).find(
    (name) => plain(name) === wanted || shape.names[name]?.some((other) => plain(other) === wanted),
  );
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[#_\s]/g, '');
}
