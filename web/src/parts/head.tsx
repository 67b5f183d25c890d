import type { ComponentChildren } from 'preact';

interface HeadProps {
  readonly title: string;
  /** The view this one was reached from. */
  readonly back?: { readonly href: string; readonly name: string };
  readonly children?: ComponentChildren;
}

/** The title of a view, the way back, and what the reader can choose. */
export function Head({ title, back, children }: HeadProps) {
  return (
    <div class="head">
      <div>
        {back !== undefined && (
          <p class="crumbs">
            <a href={back.href}>← {back.name}</a>
          </p>
        )}
        <h1>{title}</h1>
      </div>
      {children}
    </div>
  );
}
