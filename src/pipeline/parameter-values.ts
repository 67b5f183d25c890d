import * as z from 'zod';

/** Schemas of parameter values. Values come as text, as runtime properties, flags and the environment have them. */

const MILLISECONDS = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** A number with a unit as a whole number of the smallest one; a bare number is in the smallest one. */
function quantity(units: Readonly<Record<string, number>>, expected: string) {
  return z.string().transform((text, context) => {
    const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim());
    const unit = match?.[2] === '' ? 1 : Object.hasOwn(units, match?.[2] ?? '') ? units[match?.[2] ?? ''] : undefined;
    const value = unit === undefined ? Number.NaN : Math.round(Number(match?.[1]) * unit);
    if (Number.isSafeInteger(value)) return value;
    context.addIssue({ code: 'custom', message: `expected ${expected}` });
    return z.NEVER;
  });
}

/** In milliseconds. */
export const duration = quantity(MILLISECONDS, 'a duration such as 500 ms, 30 s, 5 min, 1 h or 2 d');

/** In bytes. */
export const byteSize = quantity(BYTES, 'a size such as 65536, 512 KiB or 64 MiB').refine((bytes) => bytes > 0, {
  error: 'expected more than 0 bytes',
});

export const count = z
  .string()
  .regex(/^\d{1,9}$/, 'expected a whole number')
  .transform(Number);

export const positive = count.refine((value) => value > 0, { error: 'expected a whole number above 0' });

export const flag = z.enum(['true', 'false'], { error: 'expected true or false' }).transform((text) => text === 'true');

export const text = z.string().min(1, 'expected a text');

/** Text, or empty for none. */
export const optionalText = z.string();

/** Sent as a header, or an ARN of a secret that is. The message never shows it. */
export const secretText = z.string().regex(/^[\x20-\x7e]*$/, {
  error: 'expected printable ASCII without line breaks, as a header takes it',
});

export const httpUrl = z.string().refine((value) => value === '' || /^https?:\/\/[^\s/]+/.test(value), {
  error: 'expected a URL that starts with http:// or https://',
});

export const sinkPath = z
  .string()
  .refine((value) => value === '' || /^(s3:\/\/[^/\s]+|file:\/\/\/)/.test(value), {
    error: 'expected s3://bucket/prefix or file:///folder',
  })
  .transform((value) => value.replace(/\/+$/, ''));

export function oneOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: `expected ${values.join(' or ')}` });
}
