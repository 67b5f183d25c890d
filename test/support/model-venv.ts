import { resolve } from 'node:path';
import { missingForVenv, pythonWith } from './python-venv.ts';

/** What is missing to train the model here, or null. */
export const missingForTraining = (): string | null => missingForVenv(11);

/** A Python with the packages of model/requirements.txt. */
export const pythonForTraining = (): Promise<string> => pythonWith('model', resolve('model/requirements.txt'));
