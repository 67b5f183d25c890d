/**
 * What another host loads: the application and its parameters, and what it needs to call them, bundled without anything
 * of Node (`dist/graph.js`).
 */
export { ByteReader, ByteWriter } from '../base/bytes.ts';
export { companyJobProcessing } from '../pipeline/company-job-processing.ts';
export { describeParameters, readParameters } from '../pipeline/parameters.ts';
export { NO_TIMER, Rejection } from '../runtime/contract.ts';
