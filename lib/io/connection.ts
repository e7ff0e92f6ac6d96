/** As much of a connection as a relay and a probe use: TCP as it is, or TLS on it. */
export interface Connection {
  /** Reads what has come, at least a byte, at most a buffer full; null when the other side has finished. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes a part at least, and says how much. */
  write(bytes: Uint8Array): Promise<number>;
  /** Finishes sending; what the other side sends still comes. */
  closeWrite(): Promise<void>;
  /** Ends it at once; pending reads and writes fail. */
  close(): void;
  /** Absent where it was set before TLS began. */
  setNoDelay?(): void;
  /** Whether closing without `closeWrite` looks to the other side as if it had been cut off. */
  readonly mustSayEnd?: boolean;
}
