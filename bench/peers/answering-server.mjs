// Answers lookups and scorings after DELAY_MS, in a process of its own: `node answering-server.mjs DELAY_MS`. Prints its
// port; ends with its parent's pipe. Each company is known, and no two have equal features.
import { createServer } from 'node:http';

const delayMs = Number(process.argv[2]);
const score = JSON.stringify({ churn: false, probability: 0.1, reasons: [], modelVersion: 'bench' });

const server = createServer((request, response) => {
  const send = (text) => response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  if (request.method === 'GET') {
    const nth = Number(request.url.slice(request.url.lastIndexOf('_') + 1));
    setTimeout(() => send(tenant(nth)), delayMs);
    return;
  }
  request.resume();
  request.on('end', () => setTimeout(() => send(score), delayMs));
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', 1024, () => process.stdout.write(`${server.address().port}\n`));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

function tenant(nth) {
  const features = { industry: 'retail', revenu: 1000 + nth, employees: 10, monthlyFee: 100, totalFee: 1200 };
  return JSON.stringify({ companyID: `comp_${nth}`, ...features, job30: 1, job90: 3, updatedAt: '2024-12-01' });
}
