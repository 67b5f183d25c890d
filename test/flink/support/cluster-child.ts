// Starts a cluster with high availability, tells its processes, and waits to be killed.
import { startCluster } from '../../../src/hosts/flink/cluster/cluster.ts';

const [folder = ''] = process.argv.slice(2);
const cluster = await startCluster({ folder, taskManagers: 1, slots: 1, highAvailability: true });
process.stdout.write(`${JSON.stringify(cluster.processes.map(({ pid }) => pid))}\n`);
setInterval(() => undefined, 60_000);
