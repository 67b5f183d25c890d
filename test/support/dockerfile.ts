import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One line of a Dockerfile: `COPY`, and what stands behind it. */
export interface Instruction {
  readonly name: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly words: readonly string[];
  /** All behind the name, as it is written. */
  readonly rest: string;
}

export interface Stage {
  readonly name: string;
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** What a container of a stage is started with. */
export interface ImageConfig {
  readonly environment: Readonly<Record<string, string>>;
  readonly user: string;
  readonly port: number;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

/** The stages of a Dockerfile that uses what ours uses: an instruction a line. */
export function readDockerfile(text: string): readonly Stage[] {
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const one = instruction(line);
    if (one.name === 'FROM') stages.push({ base: one.words[0] ?? '', name: one.words[2] ?? '', instructions: [] });
    else stages.at(-1)?.instructions.push(one);
  }
  return stages;
}

function instruction(line: string): Instruction {
  const [, name = '', rest = ''] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? [];
  if (name === '') throw new Error(`expected an instruction, got ${line}`);
  const all = rest.split(/\s+/);
  const words = all.filter((word) => !word.startsWith('--'));
  const flags = all.filter((word) => word.startsWith('--')).map((flag) => flag.slice(2).split('='));
  return { name, words, rest, flags: Object.fromEntries(flags) };
}

export function configOf({ instructions }: Stage): ImageConfig {
  const last = (name: string) => instructions.findLast((one) => one.name === name)?.rest ?? '';
  const variables = instructions.filter(({ name }) => name === 'ENV').flatMap(({ words }) => words);
  return {
    environment: Object.fromEntries(variables.map((pair) => pair.split('=') as [string, string])),
    user: last('USER'),
    port: Number(last('EXPOSE')),
    entrypoint: JSON.parse(last('ENTRYPOINT')),
    command: JSON.parse(last('CMD')),
  };
}

/** What stands in for a step that this machine does otherwise; undefined: the step is done as it is written. */
export interface StandIns {
  /** By the command of a RUN. */
  readonly run: (command: string, folder: string) => (() => void) | undefined;
  /** The file in the place of what an ADD would fetch. */
  readonly fetched: (url: string) => string;
}

/**
 * Makes the file systems of the stages that `target` needs, each in a folder below `into`, as `docker build` would: from the
 * files of `context`, which are those that .dockerignore leaves. The base image is this machine. Returns the target's.
 */
export function stage(context: string, target: string, into: string, standIns: StandIns): string {
  const stages = readDockerfile(readFileSync(join(context, 'Dockerfile'), 'utf8'));
  const make = (name: string): string => {
    const root = join(into, name);
    if (existsSync(root)) return root;
    const found = stages.find((one) => one.name === name);
    if (found === undefined) throw new Error(`the Dockerfile has no stage ${name}`);
    mkdirSync(root, { recursive: true });
    let folder = root;
    for (const { name: what, words, flags, rest } of found.instructions) {
      const [target = '', ...sources] = words.toReversed();
      if (what === 'WORKDIR') {
        folder = join(root, rest);
        mkdirSync(folder, { recursive: true });
      }
      if (what === 'COPY') {
        const from = flags.from === undefined ? context : make(flags.from);
        for (const source of sources) copy(join(from, source), placeOf(root, folder, target), target);
      }
      if (what === 'ADD') {
        const place = placeOf(root, folder, target);
        mkdirSync(dirname(place), { recursive: true });
        copyFileSync(standIns.fetched(sources[0] ?? ''), place);
        chmodSync(place, Number.parseInt(flags.chmod ?? '600', 8));
      }
      if (what === 'RUN') (standIns.run(rest, folder) ?? (() => runIn(folder, rest)))();
    }
    return root;
  };
  return make(target);
}

function placeOf(root: string, folder: string, target: string): string {
  return target.startsWith('/') ? join(root, target) : resolve(folder, target);
}

/** A file goes into a target that ends with a slash, a folder's content into the target. */
function copy(source: string, place: string, target: string): void {
  const to = statSync(source).isFile() && target.endsWith('/') ? join(place, basename(source)) : place;
  mkdirSync(dirname(to), { recursive: true });
  cpSync(source, to, { recursive: true, verbatimSymlinks: true });
}

function runIn(folder: string, command: string): void {
  const { status, stderr, stdout } = spawnSync('sh', ['-c', command], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (status !== 0) throw new Error(`RUN ${command}: expected it to end well, got ${status}: ${stdout}${stderr}`);
}

const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** In the place of `npm ci`: links to the packages of this machine that it would install, by package-lock.json. */
export function linkPackages(folder: string, only: 'production' | 'all'): void {
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  for (const [path, { dev = false }] of Object.entries(lock.packages)) {
    const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path) ?? [];
    if (name === undefined || (dev && only === 'production') || !existsSync(join(MODULES, name))) continue;
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(MODULES, name), link);
  }
}
