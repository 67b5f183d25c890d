/** Measured results as a Markdown table. */
import { cpus, loadavg } from 'node:os';
import type { Comparison, Measurement, Result } from './measure.ts';

export function machineLine(): string {
  const [first] = cpus();
  const load = loadavg()[0]?.toFixed(1) ?? '?';
  const machine = `${cpus().length} × ${first?.model ?? 'unknown CPU'}, ${process.platform} ${process.arch}, Node ${process.version}`;
  return `${machine}, load ${load} at start, ${new Date().toISOString().slice(0, 10)}`;
}

/** Cells are `median (min..max)`; a ratio is taken within each round and the median of those is shown. */
export function markdownTable(comparison: Comparison, results: readonly Result[]): string {
  const reference = results[0]?.measurements ?? [];
  const rate = ({ cpuSeconds }: Measurement) => comparison.events / cpuSeconds;
  const lines = [
    `### ${comparison.title}`,
    '',
    `| Contender | Events per CPU-second | Ratio to ${results[0]?.contender.name ?? 'the first'} | Wall s | Peak RSS MiB |`,
    '|---|--:|--:|--:|--:|',
  ];
  for (const { contender, measurements, failure } of results) {
    if (failure !== undefined || measurements.length === 0) {
      lines.push(`| ${contender.name} | not measured: ${firstLine(failure ?? 'no round ended')} | | | |`);
      continue;
    }
    const ratios = measurements.flatMap((measured, round) => {
      const other = reference[round];
      return other === undefined ? [] : [rate(measured) / rate(other)];
    });
    const cells = [
      spread(measurements.map(rate), (value) => `${Math.round(value / 1000)} k`),
      spread(ratios, (value) => value.toFixed(2)),
      spread(
        measurements.map((measured) => measured.wallSeconds),
        (value) => value.toFixed(1),
      ),
      spread(
        measurements.map((measured) => measured.rssMiBMax),
        (value) => value.toFixed(0),
      ),
    ];
    lines.push(`| ${contender.name} | ${cells.join(' | ')} |`);
  }
  return `${lines.join('\n')}\n`;
}

/** `median (min..max)`. */
export function spread(values: readonly number[], format: (value: number) => string): string {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.ceil((sorted.length - 1) / 2)];
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || least === undefined || most === undefined) return '–';
  return `${format((low + high) / 2)} (${format(least)}..${format(most)})`;
}

/** For a cell of a table. */
export function firstLine(text: string): string {
  return text.split('\n', 1)[0]?.replaceAll('|', '\\|') ?? '';
}
