import type { FileSystem } from '../../runtime/ports.ts';

export interface PartName {
  readonly partition: string;
  readonly sequence: number;
  readonly bytes?: number;
}

/** A part that is there. */
export interface FoundPart extends PartName {
  readonly hidden: boolean;
}

const PART = /^(\.?)part-([0-9a-z]+)-(\d+)\.[a-z]+(\.inprogress)?$/;

/** `<folder>/<partition>/part-<run>-<sequence>.<extension>`, hidden and `.inprogress` until it is committed. */
export class PartNames {
  readonly runID: string;
  readonly #root: string;
  readonly #extension: string;

  constructor(root: string, runID: string, extension: string) {
    this.#root = root;
    this.runID = runID;
    this.#extension = extension;
  }

  folder(part: PartName): string {
    return `${this.#root}/${part.partition}`;
  }

  path(part: PartName, hidden: boolean): string {
    const name = this.visibleName(part);
    return `${this.folder(part)}/${hidden ? `.${name}.inprogress` : name}`;
  }

  visibleName(part: PartName): string {
    return `part-${this.runID}-${String(part.sequence).padStart(6, '0')}.${this.#extension}`;
  }

  /** The part of this run that a file of this name in the folder of a partition is; undefined when it is none. */
  read(partition: string, name: string): FoundPart | undefined {
    const match = PART.exec(name);
    if (match?.[2] !== this.runID) return undefined;
    return { partition, sequence: Number(match[3]), hidden: match[1] === '.' };
  }

  /** The parts of this run that are there. */
  async find(files: FileSystem): Promise<FoundPart[]> {
    const found: FoundPart[] = [];
    for (const folder of await files.list(this.#root)) {
      if (!folder.isFolder || /^[._]/.test(folder.name)) continue;
      for (const { name } of await files.list(`${this.#root}/${folder.name}`)) {
        const part = this.read(folder.name, name);
        if (part !== undefined) found.push(part);
      }
    }
    return found;
  }
}
