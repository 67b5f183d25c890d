import { FIXED } from './cost.ts';
import { INPUTS, type InputName } from './inputs.ts';
import { eventMicros, MEASURED } from './limits.ts';
import type { Plan } from './plan.ts';

/** A plan to read, with all that it assumes. */
export function planLines(plan: Plan): readonly string[] {
  return [
    ...loadLines(plan),
    '',
    ...streamLines(plan),
    '',
    ...hostLines(plan),
    '',
    ...costLines(plan),
    ...(plan.warnings.length > 0 ? ['', 'Look at this', ...plan.warnings.map((warning) => `  - ${warning}`)] : []),
    '',
    ...assumptionLines(plan),
  ];
}

function loadLines({ load }: Plan): string[] {
  return [
    `Load, a second                     ${'mean'.padStart(14)}${'peak'.padStart(14)}`,
    ...(
      [
        ['job events', load.events],
        ['rows', load.rows],
        ['  of them, of decay (midnight)', load.decayRows],
        ['records of companies', load.companyRecords],
        ['lookups at TenantManager', load.lookups],
        ['calls of churn scoring', load.scores],
        ['events of the busiest company', load.busiestCompany],
      ] as const
    ).map(([what, { mean, peak }]) => `  ${what.padEnd(33)}${figure(mean).padStart(14)}${figure(peak).padStart(14)}`),
  ];
}

function streamLines({ inputs, streams }: Plan): string[] {
  const head =
    inputs.streams === 'on-demand' ? 'Streams, on demand: nothing to set (shards as they would be)' : 'Streams';
  return [
    head,
    ...streams.map(({ name, shards, because }) => {
      const count = `${grouped(shards)} ${shards === 1 ? 'shard' : 'shards'}`;
      return `  ${name.padEnd(18)} ${count.padStart(14)}   ${because}`;
    }),
  ];
}

function hostLines({ inputs, load, host }: Plan): string[] {
  const { numbers: of } = inputs;
  const calls = (name: string, needed: number, perSubtask: number) =>
    `${grouped(needed)} at the peak: ${name}=${grouped(perSubtask)} in each subtask`;
  const rows: (readonly [string, string])[] = [
    [
      'CPU at the peak',
      `${figure(host.peakCpu)} cores, as measured; counted on: ${percent(of.derate * of.utilization)} of each`,
    ],
    inputs.host === 'node'
      ? ['Node host', 'one process']
      : [
          'managed Flink',
          `parallelism ${grouped(host.parallelism)}, ${grouped(host.kpus)} KPUs (one of them for orchestration)`,
        ],
    ...(inputs.isLookup
      ? [
          [
            'lookups in flight',
            calls('tenant.concurrency', host.tenantInFlight.needed, host.tenantInFlight.perSubtask),
          ] as const,
        ]
      : []),
    ...(inputs.isScored
      ? [
          [
            'scores in flight',
            calls('score.concurrency', host.scoreInFlight.needed, host.scoreInFlight.perSubtask),
          ] as const,
          ['Lambda concurrency', `${grouped(host.lambdaConcurrency)} at the peak`] as const,
        ]
      : []),
    [
      'rows at midnight',
      `${grouped(load.midnightRows)} at once${inputs.isScored ? `; scored after ${duration(host.midnightSeconds)}` : ''}`,
    ],
    [
      'one company',
      Number.isFinite(host.perCompanyMost) ? `at most ${figure(host.perCompanyMost)} rows/s` : 'no bound of its own',
    ],
    ['objects in S3', `${grouped(host.objectsPerDay)} a day`],
    ['state', `${bytes(load.stateBytes)} (${grouped(load.companyStateBytes)} bytes a company with jobs each day)`],
  ];
  return ['Application', ...rows.map(([what, text]) => `  ${what.padEnd(18)} ${text}`)];
}

function costLines({ cost, prices }: Plan): string[] {
  const { currency, asOf, region, note } = prices;
  return [
    `Cost a month, ${currency}, by list prices of ${region} as of ${asOf}, which were not checked`,
    ...cost.lines.map(
      ({ part, price, quantity, unit, perMonth }) =>
        `  ${part.padEnd(26)} ${money(perMonth).padStart(14)}   ${figure(quantity)} × ${unit} (${price})`,
    ),
    `  ${'in all'.padEnd(26)} ${money(cost.perMonth).padStart(14)}`,
    cost.perMillionEvents === null
      ? '  a million events: none come'
      : `  ${'a million events'.padEnd(26)} ${money(cost.perMillionEvents).padStart(14)}`,
    `  ${note}`,
  ];
}

function assumptionLines({ inputs }: Plan): string[] {
  const names = Object.keys(INPUTS) as InputName[];
  const width = Math.max(...names.map((name) => INPUTS[name].flag.length)) + 2;
  return [
    'What this assumes, and what says otherwise',
    ...names.map((name) => {
      const spec: { readonly flag: string; readonly about: string; readonly source?: string } = INPUTS[name];
      const source = spec.source === undefined ? '' : ` (${spec.source})`;
      return `  --${spec.flag.padEnd(width)} ${String(inputs.numbers[name]).padStart(8)}  ${spec.about}${source}`;
    }),
    ...Object.values(MEASURED).map(({ value, what, source }) => `  ${figure(value)} ${what} (${source})`),
    `  so an event costs ${figure(eventMicros(inputs.host))} µs on this host${inputs.host === 'flink' ? ': as from files there, and what Kinesis adds on the Node host' : ''}`,
    `  fixed, not sized: ${FIXED.tenantManagerTasks} tasks of TenantManager with ${FIXED.tenantManagerVcpus} vCPU and ${FIXED.tenantManagerGB} GB, Aurora with ${FIXED.auroraAcus} ACU, ${FIXED.modelInstances} model instance`,
    '  not in it: logs, metrics, NAT and data transfer, backups, retries, objects of late events',
    '  formulas: docs/operations.md, Sizing',
  ];
}

const grouped = (value: number) => Math.round(value).toLocaleString('en-US');

function figure(value: number): string {
  const digits = value === 0 || value >= 100 ? 0 : value >= 1 ? 1 : 4;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}

const money = (value: number) => value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });

const percent = (share: number) => `${figure(100 * share)} %`;

function duration(seconds: number): string {
  if (seconds < 120) return `${figure(seconds)} s`;
  if (seconds < 7200) return `${figure(seconds / 60)} min`;
  return `${figure(seconds / 3600)} h`;
}

function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
  let value = count;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${figure(value)} ${units[unit]}`;
}
