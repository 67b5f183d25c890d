/** What the command line needs before it loads the simulator and the SDK. */
export { SHAPES, type Shape } from '../../services/simulator/shape.ts';
export { FADING } from '../../services/simulator/tenant-life.ts';
