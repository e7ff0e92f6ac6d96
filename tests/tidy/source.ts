/** The project's own source files, and facts about them for the tests in tests/tidy. */

/** Root of the repository. */
export const ROOT = new URL("../../", import.meta.url);

const NOT_SOURCE = new Set(["dist", "coverage", "node_modules"]);

/** Paths of all TypeScript files, relative to the root, with slashes. */
export function sourceFiles(folder = ""): string[] {
  const files: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(new URL(`./${folder}`, ROOT))) {
    if (name.startsWith(".") || NOT_SOURCE.has(name)) continue;
    if (isDirectory) files.push(...sourceFiles(`${folder}${name}/`));
    else if (/\.m?tsx?$/.test(name)) files.push(`${folder}${name}`);
  }
  return files.sort();
}

/** The text of a file of the repository; undefined if there is none. */
export function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(new URL(path, ROOT));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The modules that a file names in its imports and exports, of values and of types. */
export function importsOf(path: string, source: string): string[] {
  const found: string[] = [];
  const take = (from: Deno.lint.Node | null) => {
    if (from?.type === "Literal" && typeof from.value === "string") found.push(from.value);
  };
  visit(path, source, {
    ImportDeclaration: (node) => take(node.source),
    ExportNamedDeclaration: (node) => take(node.source),
    ExportAllDeclaration: (node) => take(node.source),
    ImportExpression: (node) => take(node.source),
  });
  return found;
}

/** The modules that are loaded together with a file: not those of types, and not those of `await import()`. */
export function loadedBy(path: string, source: string): string[] {
  const found: string[] = [];
  const take = (from: Deno.lint.Node | null, kind: "type" | "value") => {
    if (kind === "value" && from?.type === "Literal") found.push(String(from.value));
  };
  visit(path, source, {
    ImportDeclaration: (node) => take(node.source, node.importKind),
    ExportNamedDeclaration: (node) => take(node.source, node.exportKind),
    ExportAllDeclaration: (node) => take(node.source, node.exportKind),
  });
  return found;
}

/** Whether a file ends the process. */
export function exits(path: string, source: string): boolean {
  let found = false;
  visit(path, source, {
    MemberExpression(node) {
      const { object, property } = node;
      if (object.type !== "Identifier" || property.type !== "Identifier") return;
      const name = `${object.name}.${property.name}`;
      if (name === "Deno.exit" || name === "process.exit") found = true;
    },
  });
  return found;
}

function visit(path: string, source: string, visitor: Deno.lint.LintVisitor): void {
  const rules = { visit: { create: () => visitor } };
  Deno.lint.runPlugin({ name: "source", rules }, path, source);
}
