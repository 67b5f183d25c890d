import { signal } from '@preact/signals';
import type { ViewerAnswer } from '../../../src/services/dashboard/access/viewer-schema.ts';

/** Whom the page is for; undefined until the service has said so: nothing is shown before. */
export const viewer = signal<ViewerAnswer | undefined>(undefined);

const AGAIN_MS = 2000;
const PATIENCE_MS = 15_000;

let isSigningOut = false;

/** Whether the service is asked at all: not once somebody signs out, since that would only be refused. */
export function mayAsk(): boolean {
  return !isSigningOut;
}

/** From here on the answer to signing out alone changes the page. */
export function signOut(): void {
  isSigningOut = true;
}

/** The company whose user this is; undefined: all are shown. */
export function ownCompany(): string | undefined {
  return viewer.value?.companyID ?? undefined;
}

/** Asks until there is an answer. */
export async function untilViewer(): Promise<void> {
  while (!(await askViewer())) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
}

/** Whether it was answered. Who is nobody any more is led to sign in; as another one, the page begins anew. */
export async function askViewer(): Promise<boolean> {
  if (!mayAsk()) return false;
  try {
    const response = await fetch('api/viewer', { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.status === 401) leave();
    if (!response.ok) return false;
    const answer = (await response.json()) as ViewerAnswer;
    const { value: before } = viewer;
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(answer)) location.reload();
    else viewer.value = answer;
    return true;
  } catch {
    return false;
  }
}

/** To the page for signing in. What stands behind the # is kept: it leads back to what was looked at. */
export function leave(): void {
  if (mayAsk()) location.replace(`sign-in${location.hash}`);
}

// A page that the browser kept while somebody signed out must not come back with its numbers.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
