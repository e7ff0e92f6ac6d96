/** Prints the digests: JavaScriptCore's shell has `print`, everything else has `console.log`. */
import { digests } from "./digests.ts";

const { print = (line: string) => console.log(line) } = globalThis as {
  print?: (line: string) => void;
};
for (const line of digests()) print(line);
