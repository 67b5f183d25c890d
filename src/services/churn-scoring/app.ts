import type { FastifyPluginAsync } from 'fastify';
import { isSameSecret } from '../server.ts';
import { type ChurnFeatures, scoreByRules } from './rules.ts';

export interface ChurnScoringOptions {
  /** The key asked for as `x-api-key`; empty for none. */
  readonly apiKey: string;
}

/** A company record is some 200 bytes. */
const MOST_BODY_BYTES = 16 * 1024;

/** The scoring API's HTTP contract (DESIGN section 5); its answers are those of a rule, until there is a model. */
export const churnScoring: FastifyPluginAsync<ChurnScoringOptions> = async (server, { apiKey }) => {
  server.get('/health', async () => ({ status: 'ok' }));

  server.post(
    '/prod/assessChurn',
    {
      bodyLimit: MOST_BODY_BYTES,
      // Before the body is read. Status and text are those of API Gateway, behind which the deployed one stands.
      onRequest: async (request, reply) => {
        const came = request.headers['x-api-key'];
        if (apiKey === '' || isSameSecret(typeof came === 'string' ? came : undefined, apiKey)) return;
        return reply.status(403).send({ message: 'Forbidden' });
      },
    },
    async (request, reply) => {
      const features = readFeatures(request.body);
      return typeof features === 'string' ? reply.status(400).send({ message: features }) : scoreByRules(features);
    },
  );
};

/** The features, or what is wrong with them. An industry nobody has heard of is one all the same. */
function readFeatures(body: unknown): ChurnFeatures | string {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return 'expected a company record as a JSON object';
  const record = body as Readonly<Record<string, unknown>>;
  const { industry, job30, job90, revenu, monthlyFee, totalFee } = record;
  // Both names are in use.
  const employees = record.employees ?? record.employee;
  if (typeof industry !== 'string') return wrong('industry', 'a text', industry);
  if (!isNumber(revenu)) return wrong('revenu', 'a number', revenu);
  if (!isNumber(employees)) return wrong('employees', 'a number', employees);
  if (!isCount(job30)) return wrong('job30', 'an integer of at least 0', job30);
  if (!isCount(job90)) return wrong('job90', 'an integer of at least 0', job90);
  if (!isNumber(monthlyFee)) return wrong('monthlyFee', 'a number', monthlyFee);
  if (!isNumber(totalFee)) return wrong('totalFee', 'a number', totalFee);
  return { industry, revenu, employees, job30, job90, monthlyFee, totalFee };
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return isNumber(value) && Number.isSafeInteger(value) && value >= 0;
}

function wrong(name: string, expected: string, value: unknown): string {
  return `${name}: expected ${expected}, got ${shown(value)}`;
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return String(JSON.stringify(value)).slice(0, 60);
}
