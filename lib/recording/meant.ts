/**
 * Whether the user means a file as a recording, by its name or its first characters. This includes damaged
 * recordings, and those of other versions.
 */
export function isMeantAsRecording(file: string, beginning: string): boolean {
  return /\.jsonl(\.\d+)?(\.gz)?$/i.test(file) || beginning.startsWith('{"type":"recording"');
}
