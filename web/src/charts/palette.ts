/** The colours of the page as a canvas needs them: resolved for the theme that is on. */
export interface Palette {
  readonly ink: string;
  readonly soft: string;
  readonly line: string;
  readonly surface: string;
  readonly accent: string;
  readonly muted: string;
  readonly danger: string;
  readonly second: string;
  /** For categories; told apart by those who are colour-blind, too (Paul Tol's `muted`). */
  readonly categories: readonly string[];
  readonly font: string;
}

const CATEGORIES = 9;

export function palette(): Palette {
  const probe = document.createElement('span');
  document.body.append(probe);
  const style = getComputedStyle(probe);
  const read = (name: string) => {
    probe.style.color = `var(--${name})`;
    return style.color;
  };
  const colours = {
    ink: read('ink'),
    soft: read('ink-soft'),
    line: read('line'),
    surface: read('surface'),
    accent: read('accent'),
    muted: read('bar-muted'),
    danger: read('danger'),
    second: read('second'),
    categories: Array.from({ length: CATEGORIES }, (_, index) => read(`category-${index + 1}`)),
    font: style.fontFamily,
  };
  probe.remove();
  return colours;
}

/** The class of a category's swatch, and the colour of its slice: by its place among all, sorted by name. */
export function categoryAt(index: number): number {
  return (index % CATEGORIES) + 1;
}
