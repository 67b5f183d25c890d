import { companyJobProcessing } from '../../pipeline/company-job-processing.ts';
import { readParameters } from '../../pipeline/parameters.ts';
import { ScriptHost } from './script-host.ts';

/** What the Java host loads into its script engine: the global object `host`. */
Object.assign(globalThis, { host: new ScriptHost({ readParameters, graph: companyJobProcessing }) });
