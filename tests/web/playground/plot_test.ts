import assert from "node:assert/strict";
import {
  logTicks,
  plotCsv,
  type PlotData,
  plotSvg,
  rangeOf,
} from "../../../web/playground/plot.ts";
import { theoryNote } from "../../../web/playground/plot_data.ts";
import { backendAt, layoutOf } from "../../../web/playground/scene_layout.ts";

const COLOURS = { ground: "#fff", text: "#000", muted: "#555", grid: "#ddd" };

const PLOT: PlotData = {
  title: "Errors <over> time",
  x: { label: "time, s", min: 0, format: String },
  y: { label: "share", isLog: true, format: String },
  xs: [1, 2, 3],
  series: [{ label: 'a "b"', colour: "#123456", dash: [4, 2], values: [1, null, 0.01] }],
};

Deno.test("logTicks() returns powers of ten, and finer ticks if these are too few", () => {
  assert.deepEqual(logTicks(1, 1000), [1, 10, 100, 1000]);
  assert.deepEqual(logTicks(0.9, 8), [1, 2, 5]);
  assert.deepEqual(logTicks(1100, 1400), [1100, 1200, 1300, 1400]);
});

Deno.test("plotCsv() quotes names and leaves unknown values empty", () => {
  assert.equal(plotCsv(PLOT), '"time, s","a ""b"""\n1,1\n2,\n3,0.01\n');
});

Deno.test("plotSvg() draws each line, with gaps at unknown values, and escapes its texts", () => {
  const svg = plotSvg(PLOT, COLOURS);
  assert.match(svg, /^<svg xmlns=/);
  assert.match(svg, /Errors &lt;over&gt; time/);
  const [, line] = /<path d="(M[^"]+)" fill="none" stroke="#123456"/.exec(svg)!;
  assert.equal(line!.match(/M/g)!.length, 2);
  assert.doesNotMatch(svg, /NaN|Infinity/);
});

Deno.test("plotSvg() of a plot without points has no invalid number", () => {
  const svg = plotSvg({ ...PLOT, xs: [], series: [{ ...PLOT.series[0]!, values: [] }] }, COLOURS);
  assert.doesNotMatch(svg, /NaN|Infinity/);
});

Deno.test("rangeOf() gives two different ends, above 0 on a logarithmic axis", () => {
  const axis = { label: "", format: String };
  assert.deepEqual(rangeOf(axis, []), [0, 1]);
  assert.deepEqual(rangeOf(axis, [5, null]), [5, 6]);
  assert.deepEqual(rangeOf({ ...axis, isLog: true }, [0, 3, 30]), [3, 30]);
});

Deno.test("layoutOf() places all boxes inside the picture, and backendAt() finds each backend at its place", () => {
  for (
    const [backends, balancers, width] of [[1, 1, 340], [3, 2, 600], [20, 1, 600], [200, 3, 1200]]
  ) {
    const layout = layoutOf(backends!, balancers!, width!);
    const boxes = [layout.clients, ...layout.balancers, ...layout.backends];
    for (const [i, box] of boxes.entries()) {
      assert.ok(box.x >= 0 && box.x + box.width <= width! && box.width > 20, `${backends} ${i}`);
      assert.ok(box.y >= 0 && box.y + box.height <= layout.height && box.height > 8, `${i}`);
    }
    layout.backends.forEach(({ x, y, width, height }, i) => {
      assert.equal(backendAt(layout, x + width / 2, y + height / 2), i);
    });
  }
});

Deno.test("theoryNote() states the reason in a sentence if there is no line of theory", () => {
  const note = (no_theory: string) => theoryNote([{ theory: null, no_theory }]);
  assert.equal(
    note("theory would need: there are no faults"),
    "No line of queueing theory: it holds only if there are no faults.",
  );
  assert.equal(
    note(
      "the nearest model, M/M/c, would need: there is one backend, or the algorithm is `random`",
    ),
    "No line of queueing theory: the nearest model, M/M/c, holds only if there is one backend, or the algorithm is random.",
  );
  assert.equal(theoryNote([{ theory: {}, no_theory: null }]), "Dotted: queueing theory.");
});
