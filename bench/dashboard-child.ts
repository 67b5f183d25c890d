/** The dashboard over a folder of rows and an empty stream, in a process of its own: `tsx dashboard-child.ts FOLDER`. */
import { readFileSync } from 'node:fs';
import { openDashboard } from '../src/hosts/node/dashboard.ts';
import { nodeWorld } from '../src/hosts/node/node-world.ts';
import { SimulatedKinesis } from '../test/support/simulated-kinesis.ts';
import { DASHBOARD_NOW } from './dashboard-rows.ts';

export type FromDashboard =
  | { readonly kind: 'up'; readonly url: string }
  | { readonly kind: 'caught-up'; readonly seconds: number }
  | { readonly kind: 'peak'; readonly rssMiB: number };

const [, , rowsFolder = ''] = process.argv;
const begun = performance.now();
const world = {
  ...nodeWorld((message) => process.stderr.write(`${message}\n`)),
  clock: { now: () => DASHBOARD_NOW + performance.now() - begun },
};
const api = new SimulatedKinesis({ clock: { now: Date.now }, sleep: world.sleep });
api.createStream('enriched');
const request = { port: 0, flag: '--port', rowsFolder, stream: 'enriched', webFolder: '/nowhere' };
const dashboard = await openDashboard(request, api, world);
const up = performance.now();
void dashboard.failed.then((error) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
tell({ kind: 'up', url: dashboard.url });
// Any word from the parent: it has asked all it wants to know.
process.on('message', () => {
  tell({ kind: 'peak', rssMiB: peakRssMiB() });
  void dashboard.stop().then(() => process.disconnect());
});
await dashboard.caughtUp;
tell({ kind: 'caught-up', seconds: (performance.now() - up) / 1000 });

function tell(message: FromDashboard): void {
  process.send?.(message);
}

/** See usage.mjs: `maxRSS` may be that of the process that started this one. */
function peakRssMiB(): number {
  const { maxRSS } = process.resourceUsage();
  if (process.platform !== 'linux') return maxRSS / 1024;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? maxRSS) / 1024;
}
