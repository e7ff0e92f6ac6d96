/**
 * Whether a file is meant as a recording, by its name or its first characters: a damaged or foreign one is meant as
 * one, too.
 */
export function isMeantAsRecording(file: string, beginning: string): boolean {
  return /\.jsonl(\.\d+)?(\.gz)?$/i.test(file) || beginning.startsWith('{"type":"recording"');
}
