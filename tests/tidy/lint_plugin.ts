/**
 * Finds code that this project must not contain, and names the replacement. `deno lint` runs it.
 *
 * Code that decides gets time and randomness as arguments. If it took them from the system, it could not run in virtual
 * time, nor twice with the same result. It must not call functions whose last bits depend on the engine either, because
 * a simulation gives the same bytes on every platform.
 */

import deno from "../../deno.json" with { type: "json" };

/**
 * The pure folders, whose code runs anywhere, also in a browser, and gives the same bytes there. They are the folders
 * of the workspace, whose code has no types of the platform, except those of the pages.
 */
const ROOMS = deno.workspace.map((room) => room.replace("./", "")).filter((room) =>
  !room.startsWith("web/")
);
const PURE = new RegExp(`^(${ROOMS.join("|")})/`);

const ROOT = new URL("../../", import.meta.url);

const TIME = "take `now: Nanoseconds` as an argument";
const RANDOMNESS = "take a `Random` as an argument (lib/base/random.ts)";

const AMBIENT: Readonly<Record<string, string>> = {
  "Date.now": TIME,
  "Temporal.Now": TIME,
  "performance.now": TIME,
  "performance.timeOrigin": TIME,
  "Math.random": RANDOMNESS,
  "crypto.getRandomValues": RANDOMNESS,
  "crypto.randomUUID": RANDOMNESS,
};

const OWN = (name: string) => `use \`${name}\` (lib/base/elementary.ts)`;
const ADD = "add this function to lib/base/elementary.ts, with + − × ÷ √ only";

/**
 * Functions whose results ECMAScript leaves to the engine. `Math.sqrt` is not one of them, because
 * IEEE 754 defines its result.
 */
const INEXACT: Readonly<Record<string, string>> = {
  "Math.acos": ADD,
  "Math.acosh": ADD,
  "Math.asin": ADD,
  "Math.asinh": ADD,
  "Math.atan": ADD,
  "Math.atan2": ADD,
  "Math.atanh": ADD,
  "Math.cbrt": OWN("power"),
  "Math.cos": OWN("sinTurns"),
  "Math.cosh": OWN("exp"),
  "Math.exp": OWN("exp"),
  "Math.expm1": OWN("exp"),
  "Math.hypot": "use Math.sqrt of the sum of squares",
  "Math.log": OWN("ln"),
  "Math.log10": OWN("decimalExponent"),
  "Math.log1p": OWN("ln"),
  "Math.log2": OWN("ln"),
  "Math.pow": OWN("power"),
  "Math.sin": OWN("sinTurns"),
  "Math.sinh": OWN("exp"),
  "Math.tan": OWN("sinTurns"),
  "Math.tanh": OWN("exp"),
};

const POWER = `${OWN("power")}, or \`square\`; \`**\` is for 2 to the power of an integer literal`;

type Node = Deno.lint.Node;

export default {
  name: "lbsim",
  rules: {
    "no-ambient-time-or-randomness": {
      create(context) {
        if (!PURE.test(pathInRepository(context.filename))) return {};

        function report(node: Node, name: string, hint: string): void {
          context.report({ node, message: `${name} is ambient: ${hint}`, hint });
        }

        return {
          ...visitMembers((node, name) => {
            const hint = AMBIENT[name];
            if (hint !== undefined) report(node, name, hint);
          }),
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
    "no-engine-dependent-math": {
      create(context) {
        if (!PURE.test(pathInRepository(context.filename))) return {};

        function report(node: Node, name: string, hint: string): void {
          context.report({ node, message: `${name} differs between engines: ${hint}`, hint });
        }

        return {
          ...visitMembers((node, name) => {
            const hint = INEXACT[name];
            if (hint !== undefined) report(node, name, hint);
          }),
          BinaryExpression(node) {
            if (node.operator !== "**" || isPowerOfTwo(node.left, node.right)) return;
            report(node, "`**`", POWER);
          },
          AssignmentExpression(node) {
            if (node.operator === "**=") report(node, "`**=`", POWER);
          },
        };
      },
    },
  },
} satisfies Deno.lint.Plugin;

/** Calls `visit` for every use of a global object's member: `Math.exp`, `const { exp } = Math`. */
function visitMembers(visit: (node: Node, name: string) => void): Deno.lint.LintVisitor {
  return {
    MemberExpression(node) {
      visit(node, `${globalName(node.object)}.${keyName(node.property, node.computed)}`);
    },
    VariableDeclarator(node) {
      if (node.id.type !== "ObjectPattern" || node.init === null) return;
      for (const property of node.id.properties) {
        if (property.type !== "Property") continue;
        const key = keyName(property.key, property.computed);
        visit(property, `${globalName(node.init)}.${key}`);
      }
    },
  };
}

/** `2 ** 20`, `2 ** -20`: exact everywhere. */
function isPowerOfTwo(base: Node, exponent: Node): boolean {
  const size = exponent.type === "UnaryExpression" && exponent.operator === "-"
    ? exponent.argument
    : exponent;
  return base.type === "Literal" && base.value === 2 && size.type === "Literal" &&
    Number.isInteger(size.value);
}

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
