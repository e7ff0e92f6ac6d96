import { localShortage } from "./system_error.ts";

/**
 * Opens this many descriptors, or as many as this process gets. Undefined where descriptors cannot be counted in this
 * way: on Windows, and without the permission to read `/dev/null`.
 */
export function openDescriptors(count: number): Deno.FsFile[] | undefined {
  const opened: Deno.FsFile[] = [];
  try {
    while (opened.length < count) opened.push(Deno.openSync("/dev/null"));
  } catch (error) {
    if (localShortage(error) !== "descriptors") return undefined;
  }
  return opened;
}

/** Closes descriptors that `openDescriptors` has opened. */
export function closeDescriptors(descriptors: Iterable<Deno.FsFile>): void {
  for (const descriptor of descriptors) descriptor.close();
}

/** How many descriptors this process can still open, at most `max`; undefined if that is not known. */
export function descriptorsLeft(max: number): number | undefined {
  const opened = openDescriptors(max);
  if (opened !== undefined) closeDescriptors(opened);
  return opened?.length;
}
