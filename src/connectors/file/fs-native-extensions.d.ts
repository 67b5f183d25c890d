declare module 'fs-native-extensions' {
  /** Asks for an exclusive lock on the whole file; false when another open file holds one. */
  export function tryLock(fd: number): boolean;
}
