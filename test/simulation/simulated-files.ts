import type { Random } from '../../src/base/random.ts';
import type { FileSystem, WritableFile } from '../../src/runtime/ports.ts';

interface Inode {
  /** What a reader sees now. */
  bytes: Uint8Array;
  /** What the last `sync` made durable. */
  durable: Uint8Array;
}

interface Folder {
  readonly names: Map<string, Inode>;
  /** Changes of names since the folder's last sync, oldest first. */
  pending: NameChange[];
  durableNames: Map<string, Inode>;
}

type NameChange =
  | { readonly kind: 'create'; readonly name: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly name: string };

/** What the disk does besides working. */
export interface Faults {
  /** Called before each operation; may throw (a full disk) or end the world. */
  before(operation: string): void;
}

/**
 * A disk that keeps only what was synced. A crash leaves, of each folder, its durable names and some first part of the
 * changes since; and of each file its durable bytes, or something between those and what was written since: cut
 * anywhere, or with zeros where bytes had not arrived.
 */
export class SimulatedDisk {
  #folders = new Map<string, Folder>();

  /** The disk as one run of the program sees it; after `faults` ended the world no operation returns any more. */
  mount(faults: Faults, isDead: () => boolean): FileSystem {
    const run = async <T>(operation: string, work: () => T): Promise<T> => {
      await Promise.resolve();
      if (!isDead()) faults.before(operation);
      if (isDead()) return new Promise<T>(() => undefined);
      return work();
    };
    return {
      makeFolder: (path) => run('makeFolder', () => this.#makeFolder(path)),
      list: (path) => run('list', () => this.#list(path)),
      read: (path) => run('read', () => this.#inode(path).bytes.slice()),
      size: (path) => run('size', () => this.#find(path)?.bytes.length),
      openAt: (path, length) =>
        run('openAt', (): WritableFile => {
          const inode = this.#open(path, length);
          return {
            append: (bytes) => run('append', () => append(inode, bytes)),
            sync: () =>
              run('sync', () => {
                inode.durable = inode.bytes;
              }),
            close: () => run('close', () => undefined),
          };
        }),
      rename: (from, to) =>
        run('rename', () => this.#change(from, { kind: 'rename', from: nameOf(from), to: nameOf(to) })),
      remove: (path) => run('remove', () => this.#remove(path)),
      syncFolder: (path) => run('syncFolder', () => this.#syncFolder(path)),
    };
  }

  /** The power fails. */
  crash(random: Random): void {
    for (const folder of this.#folders.values()) {
      const kept = Math.floor(random() * (folder.pending.length + 1));
      const names = new Map(folder.durableNames);
      for (const change of folder.pending.slice(0, kept)) apply(names, change);
      folder.names.clear();
      for (const [name, inode] of names) {
        inode.bytes = survivingBytes(inode, random);
        inode.durable = inode.bytes;
        folder.names.set(name, inode);
      }
      folder.durableNames = names;
      folder.pending = [];
    }
  }

  /** Visible bytes of all files, by path. */
  files(): Map<string, Uint8Array> {
    const files = new Map<string, Uint8Array>();
    for (const [path, folder] of this.#folders) {
      for (const [name, inode] of folder.names) files.set(`${path}/${name}`, inode.bytes);
    }
    return files;
  }

  /** Damages a file where it lies, as a failing disk does. */
  damage(path: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const inode = this.#inode(path);
    inode.bytes = change(inode.bytes.slice());
    inode.durable = inode.bytes;
  }

  #makeFolder(path: string): void {
    if (this.#folders.has(path)) return;
    this.#folders.set(path, { names: new Map(), pending: [], durableNames: new Map() });
  }

  #list(path: string): { name: string; isFolder: boolean }[] {
    const below = [...this.#folders.keys()].filter((folder) => folder.startsWith(`${path}/`));
    const folders = new Set(below.map((folder) => folder.slice(path.length + 1).split('/')[0] ?? ''));
    const files = [...(this.#folders.get(path)?.names.keys() ?? [])];
    return [
      ...[...folders].map((name) => ({ name, isFolder: true })),
      ...files.map((name) => ({ name, isFolder: false })),
    ];
  }

  #open(path: string, length: number): Inode {
    const found = this.#find(path);
    if (found === undefined) {
      const inode = { bytes: new Uint8Array(0), durable: new Uint8Array(0) };
      if (length > 0) throw new Error(`${path}: expected ${length} bytes, got no file`);
      this.#change(path, { kind: 'create', name: nameOf(path), inode });
      return inode;
    }
    if (found.bytes.length < length) throw new Error(`${path}: expected ${length} bytes, got ${found.bytes.length}`);
    found.bytes = found.bytes.slice(0, length);
    return found;
  }

  #change(path: string, change: NameChange): void {
    const folder = this.#folder(path);
    if (change.kind === 'rename' && !folder.names.has(change.from)) throw new Error(`no such file: ${path}`);
    apply(folder.names, change);
    folder.pending.push(change);
  }

  #remove(path: string): void {
    if (this.#find(path) !== undefined) this.#change(path, { kind: 'remove', name: nameOf(path) });
  }

  #syncFolder(path: string): void {
    const folder = this.#folders.get(path);
    if (folder === undefined) throw new Error(`no such folder: ${path}`);
    folder.durableNames = new Map(folder.names);
    folder.pending = [];
  }

  #folder(path: string): Folder {
    const folder = this.#folders.get(path.slice(0, path.lastIndexOf('/')));
    if (folder === undefined) throw new Error(`no such folder: ${path}`);
    return folder;
  }

  #find(path: string): Inode | undefined {
    return this.#folders.get(path.slice(0, path.lastIndexOf('/')))?.names.get(nameOf(path));
  }

  #inode(path: string): Inode {
    const inode = this.#find(path);
    if (inode === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
    return inode;
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function apply(names: Map<string, Inode>, change: NameChange): void {
  if (change.kind === 'create') {
    names.set(change.name, change.inode);
  } else if (change.kind === 'remove') {
    names.delete(change.name);
  } else {
    const inode = names.get(change.from);
    names.delete(change.from);
    if (inode !== undefined) names.set(change.to, inode);
  }
}

function append(inode: Inode, bytes: Uint8Array): void {
  const longer = new Uint8Array(inode.bytes.length + bytes.length);
  longer.set(inode.bytes);
  longer.set(bytes, inode.bytes.length);
  inode.bytes = longer;
}

function survivingBytes({ bytes, durable }: Inode, random: Random): Uint8Array {
  if (bytes === durable || random() < 0.4) return durable;
  const shared = Math.min(bytes.length, durable.length);
  const length = shared + Math.floor(random() * (bytes.length - shared + 1));
  const surviving = bytes.slice(0, length);
  if (random() < 0.3) surviving.fill(0, shared + Math.floor(random() * (length - shared + 1)));
  return surviving;
}
