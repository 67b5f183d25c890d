import { type Command, Option } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import type { AlertsRequest } from '../hosts/node/alerts.ts';
import { numberOf, wholeOf } from './options.ts';

/** As commander hands them over. */
export interface AlertOptions {
  readonly alertUrl: readonly string[];
  readonly alertFormat: AlertsRequest['format'];
  readonly alertsFolder?: string;
  readonly alertQuiet: string;
  readonly alertSilentDays: string;
  readonly alertLink: string;
  readonly alertRefused?: boolean;
}

const URLS = 'ALERT_URLS';
const MOST_TARGETS = 20;
const MOST_QUIET_HOURS = 24 * 30;
const MOST_SILENT_DAYS = 400;

/** Adds the options of a command that sends alerts. */
export function withAlerts(command: Command): Command {
  const again = (value: string, all: readonly string[]) => [...all, value];
  return command
    .option(
      '--alert-url <url>',
      'where risk flips and silent tenants are told: https://…, slack+https://…, an SNS topic, or the ARN of a secret that holds one; again for more',
      again,
      [],
    )
    .addOption(
      new Option('--alert-format <format>', 'what https://… takes; auto: JSON, and what Slack takes at its own host')
        .choices(['auto', 'json', 'slack'])
        .default('auto'),
    )
    .option('--alert-quiet <hours>', 'after an alert of a tenant, its next one waits for so long', '24')
    .option('--alert-silent-days <days>', 'without a job event are a silence', '7')
    .option('--alert-link <url>', 'the dashboard as those who read alerts reach it; empty: as it is here', '')
    .option(
      '--alert-refused',
      'what a target refused for good is sent once more, now that its address or format is mended',
    );
}

/** For `--help`. */
export const ALERTS_HELP = `
Alerts: a tenant that turned at-risk, or back, or went silent is told at least once; receivers drop repeats by the header
Idempotency-Key (companyID:version). Addresses that are secret belong in the environment variable ${URLS} (with blanks
between them) or in Secrets Manager: a command line can be read by others on its machine.`;

/** @throws TenantAnalyticsError USAGE */
export function alertsOf(options: AlertOptions, defaultFolder: string): AlertsRequest {
  const { alertUrl, alertFormat: format, alertsFolder: folder = defaultFolder, alertLink: link } = options;
  const urls = [...alertUrl, ...(process.env[URLS] ?? '').split(/\s+/)].filter((url) => url !== '');
  if (urls.length > MOST_TARGETS) {
    throw new TenantAnalyticsError('USAGE', `--alert-url: expected at most ${MOST_TARGETS}, got ${urls.length}.`);
  }
  const silentDays = wholeOf(options.alertSilentDays, '--alert-silent-days', MOST_SILENT_DAYS);
  if (silentDays < 1) throw new TenantAnalyticsError('USAGE', '--alert-silent-days: expected 1 day or more, got 0.');
  if (link !== '' && !/^https?:\/\//.test(link)) {
    throw new TenantAnalyticsError('USAGE', `--alert-link: expected http(s)://…, got ${link}.`);
  }
  const quietHours = numberOf(options.alertQuiet, '--alert-quiet', 0, MOST_QUIET_HOURS);
  return { urls, format, folder, quietHours, silentDays, link, sendsRefused: options.alertRefused ?? false };
}
