/** The largest recording that a page opens, in bytes over all files. The page keeps all of it in memory. */
export const RECORDING_MAX: number = 64 * 1024 * 1024;

/** The error message for a recording that is too large. */
export function tooLargeWords(file: string, bytes: number): string {
  const megabytes = (count: number) => Math.ceil(count / 1024 / 1024);
  return `${file}: the recording has ${megabytes(bytes)} MB, and the playground opens at most ` +
    `${megabytes(RECORDING_MAX)} MB: \`lbsim sim --replay\` reads a recording of any size`;
}
