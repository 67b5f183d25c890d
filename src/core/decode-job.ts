import { type Columns, type RecordMeta, Rejection } from '../runtime/contract.ts';
import type { JobEvent } from './events.ts';
import { companyIDField, countField, type Fields, invalid, type Notation, textField, timeField } from './fields.ts';
import { JobScanner } from './job-scanner.ts';
import { type RecordShape, readHeader, readNotation } from './notation.ts';

/** Job events as DESIGN section 3 has them: JSON, or CSV `company_id,userid,#job_submitted[,timestamp]` or a header. */
const SHAPE: RecordShape = {
  what: 'a job event',
  names: {
    companyID: ['company_id', 'tenantID', 'Company'],
    userID: ['user_id', 'userid'],
    nbJobs: ['#job_submitted', 'jobSubmitted'],
    creationDate: ['timestamp', 'date'],
    dataSize: [],
    eventID: [],
  },
  required: ['companyID', 'userID', 'nbJobs'],
  positions: ['companyID', 'userID', 'nbJobs', 'creationDate'],
};

export function jobHeader(line: string): Columns | undefined | Rejection {
  return readHeader(line, SHAPE);
}

/**
 * Makes the decoder of job events. On a live source an event more than `maxFutureMs` after its arrival is `invalid`:
 * one bad clock must not age every tenant.
 */
export function jobDecoder(
  maxFutureMs: number,
): (bytes: Uint8Array, from: number, to: number, meta: RecordMeta) => JobEvent | Rejection {
  const scanner = new JobScanner();
  return (bytes, from, to, meta) => {
    const event = scanner.scan(bytes, from, to) ? scannedJob(scanner, meta) : decodeJob(bytes, from, to, meta);
    if (meta.live && !(event instanceof Rejection) && event.time > meta.arrivalTime + maxFutureMs) {
      return new Rejection(
        'invalid',
        `creationDate: expected at most ${maxFutureMs} ms after the arrival at ${meta.arrivalTime}, got ${event.time}`,
      );
    }
    return event;
  };
}

function scannedJob(scanner: JobScanner, meta: RecordMeta): JobEvent {
  return {
    kind: 'job',
    companyID: scanner.companyID,
    userID: scanner.userID,
    nbJobs: scanner.nbJobs,
    time: scanner.creationDate < 0 ? meta.arrivalTime : scanner.creationDate,
    dataSize: scanner.dataSize < 0 ? null : scanner.dataSize,
    eventID: scanner.eventID === '' ? defaultEventID(meta) : scanner.eventID,
  };
}

/** The whole decoder, every rule in it; {@link JobScanner} is a shortcut that must agree with it. */
export function decodeJob(bytes: Uint8Array, from: number, to: number, meta: RecordMeta): JobEvent | Rejection {
  const notated = readNotation(bytes, from, to, meta.columns, SHAPE);
  if (notated instanceof Rejection) return notated;
  return jobFromFields(notated.fields, notated.notation, meta);
}

function jobFromFields(fields: Fields, notation: Notation, meta: RecordMeta): JobEvent | Rejection {
  const companyID = companyIDField(fields);
  if (companyID instanceof Rejection) return companyID;
  const userID = textField(fields, 'userID');
  if (userID instanceof Rejection) return userID;
  const nbJobs = countField(fields, 'nbJobs', notation);
  if (nbJobs instanceof Rejection) return nbJobs;
  const creationDate = timeField(fields, 'creationDate');
  if (creationDate instanceof Rejection) return creationDate;
  const dataSize = fields.dataSize === undefined ? null : countField(fields, 'dataSize', notation);
  if (dataSize instanceof Rejection) return dataSize;
  const eventID = fields.eventID === undefined ? defaultEventID(meta) : textField(fields, 'eventID');
  if (eventID instanceof Rejection) return eventID;
  if (eventID === '') return invalid('eventID', 'a text that is not empty', eventID);
  return { kind: 'job', companyID, userID, nbJobs, time: creationDate ?? meta.arrivalTime, dataSize, eventID };
}

/** `<shardId>:<sequenceNumber>`, and `:<index>` inside a KPL aggregate; a file: `<base name>:<physical line>`. */
function defaultEventID(meta: RecordMeta): string {
  const id = `${meta.shardId ?? meta.source}:${meta.sequenceNumber}`;
  return meta.subSequence === null ? id : `${id}:${meta.subSequence}`;
}
