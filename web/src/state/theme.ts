import { computed, effect, signal } from '@preact/signals';

type Theme = 'light' | 'dark';

const KEPT = 'tenant-analytics.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

const system = signal<Theme>(dark.matches ? 'dark' : 'light');
dark.addEventListener('change', () => {
  system.value = dark.matches ? 'dark' : 'light';
});

const chosen = signal<Theme | undefined>(kept());

/** What the reader chose, else what the system asks for. */
export const theme = computed<Theme>(() => chosen.value ?? system.value);

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});

export function switchTheme(): void {
  const next = theme.value === 'dark' ? 'light' : 'dark';
  // Back at what the system asks for, it follows the system again.
  chosen.value = next === system.value ? undefined : next;
  try {
    if (chosen.value === undefined) localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, chosen.value);
  } catch {
    // A browser that keeps nothing: the choice lasts as long as the page.
  }
}

function kept(): Theme | undefined {
  try {
    const value = localStorage.getItem(KEPT);
    return value === 'light' || value === 'dark' ? value : undefined;
  } catch {
    return undefined;
  }
}
