/** What the command line needs to take a plan's numbers, and to print it. */
export { INPUTS, type InputName, type InputSpec } from '../../services/planner/inputs.ts';
export { planLines } from '../../services/planner/plan-text.ts';
