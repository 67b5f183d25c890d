/* What a bare engine lacks, and the program only names in types: nothing there is ever aborted from outside. */
interface AbortSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
}
