/** A set of keys, as it comes out of a YAML file. */
export type Data = Readonly<Record<string, unknown>>;

/** Whether a value is a set of keys. */
export function isData(value: unknown): value is Data {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
