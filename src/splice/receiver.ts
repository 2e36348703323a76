/** Who takes the body: a client's response. */
export interface Receiver {
  /**
   * @param done called when the bytes' memory is free again, or, once `gone` is aborted, perhaps never
   * @returns false: it is full until `onRoom` is called
   */
  write(bytes: Buffer, done: () => void): boolean;
  onRoom: () => void;
  /** Aborted when it leaves; its reason is what the transfer then rejects with. */
  readonly gone: AbortSignal;
}
