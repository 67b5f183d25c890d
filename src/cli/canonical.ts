import { Command } from 'commander';
import { canonicalRows } from '../hosts/node/canonical.ts';
import { printLines } from './output.ts';

export function canonicalCommand(): Command {
  return new Command('canonical')
    .description('print the JSON rows under a folder, one for each company and version, sorted bytewise')
    .argument('<dir>', 'folder of rows, as replay writes it')
    .addHelpText(
      'after',
      '\nColumns: trigger,companyID,eventTime,userID,nbJobs,job30,job90,version\nDead letters, hidden and unfinished files are left out.',
    )
    .action(async (dir: string) => printLines(await canonicalRows(dir)));
}
