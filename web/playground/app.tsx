import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Shared, SharedContext, useShared } from "./context.ts";
import { Header } from "./header.tsx";
import { LessonPanel } from "./lesson_panel.tsx";
import { measure } from "./measure.ts";
import { RecordingPanel } from "./recording_panel.tsx";
import { SceneView } from "./scene_view.tsx";
import { Timeline } from "./timeline.tsx";
import { Verdict } from "./verdict.tsx";

/** The whole page. */
export function App(shared: Shared) {
  const { playground } = shared;
  return (
    <SharedContext.Provider value={shared}>
      <a class="skip" href="#time" onClick={skip}>Skip to the run</a>
      <Header />
      <main data-route={playground.route}>
        <LessonPanel />
        <RecordingPanel />
        <section id="time" tabIndex={-1} aria-label="Run" class="run">
          <Timeline />
          <Verdict />
        </section>
        <SceneView />
        <LaterPanels />
      </main>
      <div class="unseen" role="status" aria-live="polite">{playground.announcement}</div>
    </SharedContext.Provider>
  );
}

/** Goes to a part of the page without changing the address, which contains the run. */
function skip(event: MouseEvent): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#time")?.focus();
}

/** The panels below the requests. They are loaded when the run is on the screen, so that they do not delay it. */
function LaterPanels() {
  const { playground } = useShared();
  const [Panels, setPanels] = useState<FunctionComponent>();
  useEffect(() => {
    void (async () => {
      await playground.interactive;
      try {
        const loaded = await import("./panels.tsx");
        setPanels(() => loaded.Panels);
        requestAnimationFrame(() => setTimeout(() => measure("complete")));
      } catch (error) {
        playground.fail(`a part of the page could not be loaded: ${error}`);
      }
    })();
  }, []);
  return Panels === undefined ? null : <Panels />;
}
