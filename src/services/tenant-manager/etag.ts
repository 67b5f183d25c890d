import type { IsCurrent } from './tenant-repository.ts';

/** Each state of a tenant has a time of its own (tenant-repository.ts), over its deletion, too: it is its ETag. */
export function etagOf(updatedAt: string): string {
  return `"${Date.parse(updatedAt)}"`;
}

const LIST = /^\s*(W\/)?"[^"]*"\s*(,\s*(W\/)?"[^"]*"\s*)*$/;

/** What If-Match asks for (RFC 9110, 13.1.1): without one, any state; undefined when it is none that can be read. */
export function ifMatch(header: string | undefined): IsCurrent | undefined {
  if (header === undefined || header.trim() === '*') return () => true;
  if (!LIST.test(header)) return undefined;
  // Strong comparison: a weak one (`W/"…"`) never matches.
  const strong = new Set([...header.matchAll(/(W\/)?"([^"]*)"/g)].filter(([, weak]) => !weak).map(([, , tag]) => tag));
  return (updatedAt) => strong.has(String(updatedAt));
}
