import { messageOf } from '../../base/errors.ts';
import type { MetricRow } from './pipeline-schema.ts';

export type Scraped = { readonly rows: readonly MetricRow[] } | { readonly problem: string };

const PATIENCE_MS = 2000;
const MOST_CHARACTERS = 1024 * 1024;
/** Of the process, not of the application, and many: for Prometheus. */
const OF_RUNTIME = 'nodejs_';

/** What the application tells of itself for Prometheus, as it is now. Never throws: it may be stopped, or restarting. */
export async function scrape(metricsUrl: string): Promise<Scraped> {
  try {
    const response = await fetch(metricsUrl, { signal: AbortSignal.timeout(PATIENCE_MS), redirect: 'error' });
    const text = await response.text();
    if (!response.ok) return { problem: `${metricsUrl} answers ${response.status}` };
    if (text.length > MOST_CHARACTERS)
      return { problem: `${metricsUrl} tells more than ${MOST_CHARACTERS} characters` };
    return { rows: readMetrics(text).filter(({ metric }) => !metric.startsWith(OF_RUNTIME)) };
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return { problem: `${metricsUrl} does not answer: ${messageOf(cause)}` };
  }
}

/** Prometheus' text format 0.0.4. Lines that are none are left out; what is no finite number is null. */
export function readMetrics(text: string): readonly MetricRow[] {
  const kinds = new Map<string, string>();
  const helps = new Map<string, string>();
  const rows: MetricRow[] = [];
  for (const line of text.split('\n')) {
    const told = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (told?.[2] !== undefined && told[3] !== undefined) (told[1] === 'HELP' ? helps : kinds).set(told[2], told[3]);
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)(?: -?\d+)?$/.exec(line);
    const [, metric, labels = '', value] = sample ?? [];
    if (metric === undefined || value === undefined) continue;
    // Of a histogram the samples are named after it.
    const of = kinds.has(metric) ? metric : metric.replace(/_(bucket|sum|count)$/, '');
    const number = Number(value);
    rows.push({
      metric,
      labels,
      value: Number.isFinite(number) ? number : null,
      kind: kinds.get(of) ?? 'untyped',
      help: helps.get(of) ?? '',
    });
  }
  return rows;
}
