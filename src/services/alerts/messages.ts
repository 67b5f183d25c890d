import { type Alert, keyOf } from './alert.ts';

/** What a webhook and a topic are sent. */
export function jsonMessage(alert: Alert, link: string): string {
  const { companyID, version, change, at, industry, monthlyFee, churnProbability, reasons, merged, raisedAt } = alert;
  return JSON.stringify({
    key: keyOf(alert),
    companyID,
    version,
    change,
    reasons,
    churnProbability,
    monthlyFee,
    industry,
    /** Of the row; of a silence, the last job event. */
    at: new Date(at).toISOString(),
    raisedAt: new Date(raisedAt).toISOString(),
    /** Earlier changes of this tenant that were not told by themselves. */
    merged,
    link: linkTo(link, companyID),
  });
}

const SAYS: Readonly<Record<Alert['change'], string>> = {
  'at-risk': 'turned at-risk',
  recovered: 'is no longer at risk',
  silent: 'went silent',
};

/** What Slack's incoming webhooks take, and others that are like them. */
export function slackMessage(alert: Alert, link: string): string {
  const { companyID, change, monthlyFee, churnProbability, industry, reasons, merged } = alert;
  const facts = [
    churnProbability === null ? '' : `churn probability ${Math.round(churnProbability * 100)} %`,
    `monthly fee ${monthlyFee.toLocaleString('en-US')}`,
    industry,
  ].filter((fact) => fact.trim() !== '');
  const lines = [
    `*<${linkTo(link, companyID)}|${escaped(companyID)}>* ${SAYS[change]} (${escaped(facts.join(', '))})`,
    ...reasons.map((reason) => `• ${escaped(reason)}`),
    ...(merged > 0 ? [`${merged} earlier changes were not told by themselves.`] : []),
  ];
  return JSON.stringify({ text: lines.join('\n') });
}

/** The page of the company. */
function linkTo(link: string, companyID: string): string {
  return `${link.replace(/\/$/, '')}/#/jobs/${encodeURIComponent(companyID)}`;
}

/** Slack's own three; a line of ours is a line, and `|` and `>` end a link. */
function escaped(text: string): string {
  const plain = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return plain.replaceAll(/\s+/g, ' ').replaceAll('|', '∣');
}
