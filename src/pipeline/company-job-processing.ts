import { churnRisk } from '../core/churn-risk.ts';
import { churnScoring } from '../core/churn-scoring.ts';
import { companyActivity } from '../core/company-activity.ts';
import { deadLetterPartition, encodeDeadLetter } from '../core/dead-letter.ts';
import { companyHeader, decodeCompany } from '../core/decode-company.ts';
import { jobDecoder, jobHeader } from '../core/decode-job.ts';
import type { CompanyRecord, JobEvent } from '../core/events.ts';
import { type EnrichedCompany, encodeCsvRow, encodeJsonRow, rowPartitions } from '../core/rows.ts';
import { tenantLookup } from '../core/tenant-lookup.ts';
import type { DeadLetter, Graph, HttpLimits, ObjectSink, Source, StreamSink } from '../runtime/contract.ts';
import type { Parameters } from './parameters.ts';

/**
 * The application, for every host:
 *
 * ```
 * companies ───────────────────────────────┐
 * jobs ─► decode ─► tenant-lookup ─► company-activity ─► churn-scoring ─► churn-risk ─┬─► rows
 *                   (enrichment=lookup)                  (scoring=on)                 └─► enrichedcompanies
 * ```
 *
 * What cannot be used, at any point, goes to the dead letters.
 */
export function companyJobProcessing(parameters: Parameters): Graph {
  const { consumer, producer, application } = parameters;

  const companies: Source<CompanyRecord> = {
    kind: 'source',
    id: 'companies',
    stream: consumer['companies.stream.name'],
    drivesWatermark: false,
    readFirst: true,
    maxRecordBytes: application['record.maxBytes'],
    decode: decodeCompany,
    eventTime: (record) => record.time,
    header: companyHeader,
  };

  const jobs: Source<JobEvent> = {
    kind: 'source',
    id: 'jobs',
    stream: consumer['jobs.stream.name'],
    drivesWatermark: true,
    readFirst: false,
    maxRecordBytes: application['record.maxBytes'],
    decode: jobDecoder(application['event.maxFuture']),
    eventTime: (event) => event.time,
    header: jobHeader,
  };

  const lookup =
    application.enrichment === 'lookup'
      ? [
          tenantLookup(
            ['jobs'],
            application.tenantManagerEndpoint,
            application.tenantManagerToken,
            lookupLimits(parameters),
          ),
        ]
      : [];

  const activity = companyActivity(['companies', ...(lookup.length > 0 ? ['tenant-lookup'] : ['jobs'])], {
    counting: application['activity.counting'],
    decay: application['activity.decay'] === 'on',
    scoreStatus: application.scoring === 'on' ? 'unavailable' : 'off',
  });

  const scoring =
    application.scoring === 'on'
      ? [
          churnScoring(
            ['company-activity'],
            application.predictChurnApiEndpoint,
            application.predictChurnApiKey,
            scoringLimits(parameters),
          ),
          churnRisk(['churn-scoring']),
        ]
      : [];
  const enriched = [scoring.length > 0 ? 'churn-risk' : 'company-activity'];

  const rows: ObjectSink<EnrichedCompany> = {
    kind: 'objects',
    id: 'rows',
    inputs: enriched,
    path: application.S3SinkPath,
    extension: application.S3SinkFormat === 'csv' ? 'csv' : 'jsonl',
    rollBytes: application['sink.roll.size'],
    rollAgeMs: application['sink.roll.age'],
    partition: rowPartitions(),
    encode: application.S3SinkFormat === 'csv' ? encodeCsvRow : encodeJsonRow,
  };

  const enrichedCompanies: StreamSink<EnrichedCompany> = {
    kind: 'stream',
    id: 'enrichedcompanies',
    inputs: enriched,
    stream: producer['enrichedcompanies.stream.name'],
    partitionKey: (row) => row.profile.companyID,
    encode: encodeJsonRow,
  };

  const deadLetters: ObjectSink<DeadLetter> = {
    kind: 'objects',
    id: 'dead-letters',
    inputs: [],
    path: application.deadLetterPath || `${application.S3SinkPath}/_dead-letters`,
    extension: 'jsonl',
    rollBytes: application['sink.roll.size'],
    rollAgeMs: application['sink.roll.age'],
    partition: deadLetterPartition,
    encode: encodeDeadLetter,
  };

  return {
    name: 'CompanyJobProcessing',
    sources: [companies, jobs],
    stages: [...lookup, activity, ...scoring],
    sinks: [rows, enrichedCompanies],
    watermark: {
      outOfOrdernessMs: application['watermark.outOfOrderness'],
      idleMs: application['watermark.idle'],
    },
    deadLetters,
  };
}

function lookupLimits({ application }: Parameters): HttpLimits {
  return {
    concurrency: application['tenant.concurrency'],
    timeoutMs: application['tenant.timeout'],
    retries: application['tenant.retries'],
    breakerFailures: application['tenant.breaker.failures'],
    breakerResetMs: application['tenant.breaker.reset'],
    cacheEntries: application['tenant.cache.size'],
    cacheTtlMs: application['tenant.cache.ttl'],
    negativeTtlMs: application['tenant.cache.negativeTtl'],
    askAgainCapacity: 0,
  };
}

function scoringLimits({ application }: Parameters): HttpLimits {
  return {
    concurrency: application['score.concurrency'],
    timeoutMs: application['score.timeout'],
    retries: application['score.retries'],
    breakerFailures: application['score.breaker.failures'],
    breakerResetMs: application['score.breaker.reset'],
    cacheEntries: application['score.cache.size'],
    cacheTtlMs: application['score.cache.ttl'],
    negativeTtlMs: 0,
    askAgainCapacity: application['rescore.capacity'],
  };
}
