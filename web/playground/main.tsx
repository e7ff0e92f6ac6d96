/** The page of the playground. The simulation runs in a worker. */
import { library, worker } from "./start.ts";
import { signal } from "@preact/signals";
import { render } from "preact";
import { applyTheme, mediaSignal, type Theme } from "../dashboard/mod.ts";
import { App } from "./app.tsx";
import { Opener } from "./opener.ts";
import { Playground } from "./playground.ts";
import { WorkerLink } from "./worker_link.ts";

const playground = new Playground((page) =>
  new WorkerLink(
    worker,
    (update) => page.take(update),
    (words) => page.fail(`the simulation has a defect: ${words}`),
  )
);
const opener = new Opener(playground);
const theme = signal<Theme>("system");
render(
  <App
    playground={playground}
    opener={opener}
    theme={theme}
    tour={signal<number | undefined>(undefined)}
    isDark={applyTheme(theme)}
    hasReducedMotion={mediaSignal("(prefers-reduced-motion: reduce)")}
  />,
  document.querySelector("#app")!,
);
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  void opener.files([...event.dataTransfer?.files ?? []]);
});
try {
  playground.library.value = await library;
  await opener.follow();
} catch (error) {
  playground.fail(`the page could not be loaded: ${error}`);
}
playground.waitNoMore();
