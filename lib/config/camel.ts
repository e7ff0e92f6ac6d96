/** Groups of keys: a schema that reads snake_case keys, as in YAML, and returns camelCase keys, as in code. */
import * as z from "zod";

/** `"ipv4_prefix"` → `"ipv4Prefix"`. */
type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;

/** The same group with camelCase keys. Groups inside it are converted by their own schemas. */
type CamelKeys<T> = { [Key in keyof T as Key extends string ? Camel<Key> : Key]: T[Key] };

/** The schema of a group of keys. The parsed value has camelCase keys; encoding restores the snake_case keys. */
export function group<Shape extends z.ZodRawShape>(shape: Shape) {
  const written = z.strictObject(shape);
  return z.codec(written, z.custom<CamelKeys<z.output<typeof written>>>(), {
    decode: (value) => renamed(value, camel) as CamelKeys<z.output<typeof written>>,
    encode: (value) => renamed(value, snake) as z.output<typeof written>,
  });
}

function renamed(group: object, rename: (key: string) => string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(group).map(([key, value]) => [rename(key), value]));
}

/** `"ipv4_prefix"` → `"ipv4Prefix"`. */
export function camel(key: string): string {
  return key.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `"ipv4Prefix"` → `"ipv4_prefix"`. */
export function snake(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
