import type { News } from '../alerts/alert.ts';
import type { AlertsSource } from '../alerts/alerts.ts';
import { inWords } from './insights-risk.ts';
import type { Flat, View } from './store.ts';

/* What alerts are told of the rows. */

/** Rows on which a risk flipped, as the store tells them. */
export function newsOfFlips(flips: readonly Flat[]): readonly News[] {
  return flips.map((flip) => ({
    companyID: String(flip.companyID),
    version: Number(flip.version),
    change: flip.change === 'at-risk' ? 'at-risk' : 'recovered',
    at: Number(flip.at),
    industry: String(flip.industry),
    monthlyFee: Number(flip.monthlyFee),
    churnProbability: numberOf(flip.churnProbability),
    reasons: inWords(flip),
  }));
}

/** Tenants of which a job event is known. One of which none is may have been active before the first row we have. */
export async function activityOf(view: View): ReturnType<AlertsSource['activity']> {
  const [applied] = await view.all('SELECT eventTime FROM applied');
  const rows = await view.all(
    'SELECT companyID, industry, monthlyFee, churnProbability, version, lastJobAt FROM companies WHERE lastJobAt IS NOT NULL',
  );
  const tenants = rows.map((row) => ({
    companyID: String(row.companyID),
    industry: String(row.industry),
    monthlyFee: Number(row.monthlyFee),
    churnProbability: numberOf(row.churnProbability),
    version: Number(row.version),
    lastJobAt: Number(row.lastJobAt),
  }));
  return { latestEvent: numberOf(applied?.eventTime), tenants };
}

const numberOf = (cell: unknown): number | null => (typeof cell === 'number' ? cell : null);
