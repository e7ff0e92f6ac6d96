import assert from "node:assert/strict";
import { parseStudy } from "../../../lib/scenario/mod.ts";
import { parseLessons } from "../../../web/playground/lessons.ts";
import { readText } from "../../tidy/source.ts";

const LESSONS = parseLessons(readText("docs/lab.md")!, readText("docs/lab-answers.md")!);

Deno.test("parseLessons() finds every lesson of the lab that runs a scenario, with its question, its run and its answers", () => {
  const items = readText("docs/lab.md")!.split(/^(?:## )?(?=\d+\. \S)/m).slice(1);
  const simulated = items.filter((text) => text.includes("lbsim sim examples/"));
  const numbers = simulated.map((text) => parseInt(text));
  assert.ok(numbers.length >= 15);
  assert.deepEqual(LESSONS.map(({ number }) => number), numbers);
  for (const { number, title, question, questions } of LESSONS) {
    assert.match(title, /^[A-Z]/, `${number}`);
    assert.match(question, /\?/, `${number}`);
    assert.ok(questions.length > 0, `${number}`);
    for (const { question, answer } of questions) {
      assert.ok(question.length > 10 && answer.length > 10, `${number}: ${question} ${answer}`);
    }
  }
});

for (const { number, run, changes } of LESSONS) {
  Deno.test(`every run of lesson ${number} is a scenario that can be opened`, () => {
    for (const { example, set } of [run, ...changes]) {
      const text = readText(`examples/${example}.yaml`)!;
      const study = parseStudy({
        scenario: { file: `${example}.yaml`, text },
        files: {},
        set: [...set, "expect=[]"],
      });
      assert.ok(study.variants.length > 0);
    }
  });
}
