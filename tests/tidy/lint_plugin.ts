/**
 * What must not be written in this house, each with what to write instead. `deno lint` runs it.
 *
 * Code that decides is handed time and randomness; code that takes them from the air could not run in
 * virtual time, nor twice with the same result.
 */
const PURE = /\/(lib\/core|lib\/scenario|lib\/stats|sim)\/[^.]*\.ts$/;

const BANNED: Readonly<Record<string, string>> = {
  "Date.now": "take `now: Nanoseconds` as an argument",
  "performance.now": "take `now: Nanoseconds` as an argument",
  "Math.random": "take a `Random` as an argument (lib/core/random.ts)",
};

export default {
  name: "lbsim",
  rules: {
    "no-ambient-time-or-randomness": {
      create(context) {
        if (!PURE.test(context.filename.replaceAll("\\", "/"))) return {};
        return {
          MemberExpression(node) {
            if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
            const name = `${node.object.name}.${node.property.name}`;
            const instead = BANNED[name];
            if (instead === undefined) return;
            context.report({ node, message: `${name} is ambient: ${instead}`, hint: instead });
          },
          NewExpression(node) {
            if (node.callee.type !== "Identifier" || node.callee.name !== "Date") return;
            if (node.arguments.length > 0) return;
            context.report({
              node,
              message: "new Date() is ambient: take `now: Nanoseconds` as an argument",
            });
          },
        };
      },
    },
  },
} satisfies Deno.lint.Plugin;
