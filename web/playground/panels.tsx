import { useMemo } from "preact/hooks";
import { Dashboard, EventLog, PageContext, parseView, Sessions } from "../dashboard/mod.ts";
import { BackendsPanel } from "./backends_panel.tsx";
import { Compare } from "./compare.tsx";
import { useShared } from "./context.ts";
import { Controls } from "./controls.tsx";
import { Library } from "./lesson_panel.tsx";
import { Plots } from "./plots.tsx";
import { SimSource } from "./sim_source.ts";
import { Tour } from "./tour.tsx";
import { WhyPanel } from "./why.tsx";

/** All panels below the requests. The page loads them when the run is on the screen. */
export function Panels() {
  return (
    <>
      <Plots />
      <div class="pair">
        <BackendsPanel />
        <div class="stack">
          <WhyPanel />
          <Controls />
        </div>
      </div>
      <Compare />
      <FromTheDashboard />
      <Library />
      <Description />
      <Tour />
    </>
  );
}

/** Components of the dashboard, for one variant. */
function FromTheDashboard() {
  const { playground, isDark, hasReducedMotion } = useShared();
  const variant = playground.variant.value;
  const epoch = playground.opened.value;
  const page = useMemo(() => {
    const dashboard = new Dashboard(new SimSource(playground));
    dashboard.start();
    return { dashboard, view: parseView(""), isDark, hasReducedMotion };
  }, [variant, epoch]);
  const variants = epoch?.variants ?? [];
  return (
    <PageContext.Provider value={page}>
      {variants.length > 1 && (
        <div class="choice of-variant" role="group" aria-label="Variant whose events are shown">
          {variants.map(({ name }, i) => (
            <button
              key={name}
              type="button"
              aria-pressed={variant === i}
              onClick={() => playground.variant.value = i}
            >
              {name}
            </button>
          ))}
        </div>
      )}
      <EventLog />
      <Sessions />
    </PageContext.Provider>
  );
}

function Description() {
  const { playground } = useShared();
  const opened = playground.opened.value;
  if (opened === undefined) return null;
  return (
    <section aria-labelledby="about-title">
      <h2 id="about-title">What is simulated</h2>
      <p>{opened.description}</p>
      {opened.source.length > 0 && <p class="muted">Source: {opened.source.join("; ")}</p>}
      <details>
        <summary>The scenario</summary>
        <pre class="scroll" tabIndex={0} aria-label="The scenario as YAML">{playground.text}</pre>
      </details>
    </section>
  );
}
