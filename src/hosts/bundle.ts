/** What another host loads: the application and its parameters, bundled without anything of Node (`dist/graph.js`). */
export { companyJobProcessing } from '../pipeline/company-job-processing.ts';
export { describeParameters, readParameters } from '../pipeline/parameters.ts';
