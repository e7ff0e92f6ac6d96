/**
 * What must not be written in this house, each with what to write instead. `deno lint` runs it.
 *
 * Code that decides is handed time and randomness; code that takes them from the air could not run in
 * virtual time, nor twice with the same result.
 */

/** Where code decides, relative to the root of the repository. */
const PURE = /^(lib\/core|lib\/scenario|lib\/stats|sim)\//;

const ROOT = new URL("../../", import.meta.url);

const TIME = "take `now: Nanoseconds` as an argument";
const RANDOMNESS = "take a `Random` as an argument (lib/core/random.ts)";

const BANNED: Readonly<Record<string, string>> = {
  "Date.now": TIME,
  "Temporal.Now": TIME,
  "performance.now": TIME,
  "performance.timeOrigin": TIME,
  "Math.random": RANDOMNESS,
  "crypto.getRandomValues": RANDOMNESS,
  "crypto.randomUUID": RANDOMNESS,
};

type Node = Deno.lint.Node;

export default {
  name: "lbsim",
  rules: {
    "no-ambient-time-or-randomness": {
      create(context) {
        if (!PURE.test(pathInRepository(context.filename))) return {};

        function check(node: Node, name: string): void {
          const hint = BANNED[name];
          if (hint !== undefined) report(node, name, hint);
        }

        function report(node: Node, name: string, hint: string): void {
          context.report({ node, message: `${name} is ambient: ${hint}`, hint });
        }

        return {
          MemberExpression(node) {
            check(node, `${globalName(node.object)}.${keyName(node.property, node.computed)}`);
          },
          VariableDeclarator(node) {
            if (node.id.type !== "ObjectPattern" || node.init === null) return;
            for (const property of node.id.properties) {
              if (property.type !== "Property") continue;
              const key = keyName(property.key, property.computed);
              check(property, `${globalName(node.init)}.${key}`);
            }
          },
          NewExpression(node) {
            if (globalName(node.callee) !== "Date" || node.arguments.length > 0) return;
            report(node, "new Date()", TIME);
          },
          CallExpression(node) {
            if (globalName(node.callee) === "Date") report(node, "Date()", TIME);
          },
        };
      },
    },
  },
} satisfies Deno.lint.Plugin;

function pathInRepository(filename: string): string {
  const path = filename.replaceAll("\\", "/");
  const root = decodeURIComponent(ROOT.pathname).replace(/^\/(?=[A-Za-z]:)/, "");
  return path.startsWith(root) ? path.slice(root.length) : path;
}

/** `Date` for `Date` and for `globalThis.Date`; undefined for anything else. */
function globalName(node: Node): string | undefined {
  if (node.type === "Identifier") return node.name;
  if (node.type !== "MemberExpression") return undefined;
  if (node.object.type !== "Identifier" || node.object.name !== "globalThis") return undefined;
  return keyName(node.property, node.computed);
}

/** The name of a property, written `.name` or `["name"]`. */
function keyName(key: Node, computed: boolean): string | undefined {
  if (key.type === "Identifier" && !computed) return key.name;
  if (key.type === "Literal" && typeof key.value === "string") return key.value;
  return undefined;
}
