// For each file of tests that starts programs: it leaves none behind, and no folder. Programs end first.
import { removeFolders } from './folders.ts';
import { endPrograms } from './program.ts';

removeFolders();
endPrograms();
