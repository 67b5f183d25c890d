import type { EpochMs } from '../../../base/time.ts';
import type { InsightName } from '../insights-schema.ts';

/** Everything, what is told of one company, or only the dashboard's own metrics. */
export type Sees = 'all' | 'metrics' | { readonly companyID: string };

/** Who asks. */
export interface Viewer {
  /** As the page shows it; null: nobody signed in, and nobody has to. */
  readonly name: string | null;
  readonly sees: Sees;
  /** From then on it is nobody any more; undefined: no such time. */
  readonly until?: EpochMs;
  /** Of a cookie: what signing out ends. */
  readonly session?: string;
}

/** Who asks a dashboard that asks nobody to sign in: it answers on its own machine only. */
export const ANYBODY: Viewer = { name: null, sees: 'all' };

/** The company that a viewer is tied to. */
export function companyOf({ sees }: Viewer): string | undefined {
  return typeof sees === 'object' ? sees.companyID : undefined;
}

/**
 * Who may ask for a route, as its `config.access` says; a route that says nothing is for `staff`.
 * `public`: anybody. `page`: who signed in, but for what the page for signing in needs, too. `tenant`: who signed in; who is tied
 * to a company is answered from its rows alone. `staff`: who sees all. `metrics`: staff, and tokens made for it.
 */
export type RouteAccess = 'public' | 'page' | 'tenant' | 'staff' | 'metrics';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess;
  }
  interface FastifyRequest {
    viewer: Viewer;
  }
}

export function maySee(access: Exclude<RouteAccess, 'public'>, { sees }: Viewer): boolean {
  if (sees === 'all') return true;
  if (sees === 'metrics') return access === 'metrics';
  return access === 'tenant' || access === 'page';
}

/**
 * Questions that a user tied to a company may ask: those that make sense of its own rows. Not those that rank it among others:
 * of an industry of two, a median is the other's number.
 */
export const FOR_TENANTS: ReadonlySet<InsightName> = new Set<InsightName>([
  'companies',
  'company-jobs',
  'company-users',
  'company-score',
  'submissions-by-month',
  'submissions-by-quarter',
  'batches-per-day',
  'churn-risk',
  'risk-changes',
]);
