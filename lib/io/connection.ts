/** The part of a connection that a relay and a probe use, with or without TLS. */
export interface Connection {
  /** Reads at least one byte, and at most as many as the buffer holds; null when the other side has finished. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes at least a part. Returns how many bytes were written. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends the sending side. Bytes of the other side still arrive. */
  closeWrite(): Promise<void>;
  /** Closes the connection at once; pending reads and writes fail. */
  close(): void;
  /** Sends small data without delay from now on. Absent if this was set before TLS began. */
  setNoDelay?(): void;
  /** Whether the other side sees a close without `closeWrite` as a truncated connection. */
  readonly mustSayEnd?: boolean;
}
