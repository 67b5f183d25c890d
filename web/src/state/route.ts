import { signal } from '@preact/signals';

/** Where the reader is: `#/customers/finance` is the view `customers` with the detail `finance`. */
export interface Route {
  readonly view: string;
  readonly detail: string | undefined;
}

export const route = signal<Route>(read(location.hash));

addEventListener('hashchange', () => {
  route.value = read(location.hash);
});

export function link(view: string, detail?: string): string {
  return detail === undefined ? `#/${view}` : `#/${view}/${encodeURIComponent(detail)}`;
}

export function go(view: string, detail?: string): void {
  location.hash = link(view, detail);
}

function read(hash: string): Route {
  const [view = '', ...rest] = hash.replace(/^#\/?/, '').split('/');
  const detail = rest.join('/');
  return { view, detail: detail === '' ? undefined : decoded(detail) };
}

/** A link that someone cut short is no reason to show nothing. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
