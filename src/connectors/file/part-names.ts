import type { FileSystem } from '../../runtime/ports.ts';

export interface PartName {
  readonly partition: string;
  readonly sequence: number;
  readonly bytes?: number;
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
    const name = `part-${this.runID}-${String(part.sequence).padStart(6, '0')}.${this.#extension}`;
    return `${this.folder(part)}/${hidden ? `.${name}.inprogress` : name}`;
  }

  /** The parts of this run that are there. */
  async find(files: FileSystem): Promise<(PartName & { readonly hidden: boolean })[]> {
    const found: (PartName & { readonly hidden: boolean })[] = [];
    for (const folder of await files.list(this.#root)) {
      if (!folder.isFolder || /^[._]/.test(folder.name)) continue;
      for (const { name } of await files.list(`${this.#root}/${folder.name}`)) {
        const match = PART.exec(name);
        if (match?.[2] !== this.runID) continue;
        found.push({ partition: folder.name, sequence: Number(match[3]), hidden: match[1] === '.' });
      }
    }
    return found;
  }
}
