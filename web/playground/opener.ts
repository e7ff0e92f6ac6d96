import type { LessonRun } from "./lessons.ts";
import type { Playground } from "./playground.ts";
import { readRoute, type Route, type SharedRun, writtenRun } from "./address.ts";
import { DropError, readDropped } from "./dropped.ts";
import { ShareError } from "./share.ts";
import { SPEEDS } from "./speeds.ts";

/** The scenario that opens if the user has chosen none. */
const FIRST = "two-choices";

/** Opens the run that the address, a file or a click names. */
export class Opener {
  readonly #playground: Playground;

  constructor(playground: Playground) {
    this.#playground = playground;
  }

  /** Follows the page's address, now and after each change of it. */
  async follow(): Promise<void> {
    addEventListener("hashchange", () => void this.#followAddress());
    await this.#followAddress();
  }

  async #followAddress(): Promise<void> {
    try {
      const { hash } = location;
      await this.#open(await readRoute(hash));
      this.#playground.route.value = hash;
    } catch (error) {
      if (!(error instanceof ShareError)) throw error;
      if (this.#playground.opened.peek() === undefined) await this.#example(FIRST, []);
      this.#playground.fail(error.message);
    }
  }

  async #open(route: Route): Promise<void> {
    const playground = this.#playground;
    playground.lesson.value = route.kind === "lesson" ? route.number : undefined;
    switch (route.kind) {
      case "start":
        return await this.#example(FIRST, []);
      case "example":
        return await this.#example(route.name, []);
      case "lesson":
        return await this.#lesson(route.number, route.change);
      case "given":
        return await this.#given();
      case "live":
        return await this.#live();
      case "shared":
        return await this.#shared(route.run);
    }
  }

  async #shared({ source, files, at_ms, speed, variant, recording }: SharedRun): Promise<void> {
    const playground = this.#playground;
    playground.file.value = source.file;
    const isOpen = recording === undefined
      ? await playground.open({ source, files, at_ms })
      : await playground.openRecording(recording, { at_ms });
    if (!isOpen) return;
    playground.variant.value = variant;
    await (speed > 0 ? playground.play(speed) : playground.pause());
  }

  async #example(name: string, set: readonly string[]): Promise<void> {
    const example = this.#playground.library.peek().examples.find((one) => one.name === name);
    if (example === undefined) {
      const names = this.#playground.library.peek().examples.map((one) => one.name).join(", ");
      throw new ShareError(`there is no example ${name}; there are: ${names}`);
    }
    const { text, files } = example;
    const source = { file: `${name}.yaml`, text };
    const open = { source, files, set: [...set, "expect=[]"] };
    if (await this.#playground.open(open)) await this.#begin();
  }

  async #lesson(number: number, change: number | undefined): Promise<void> {
    const lesson = this.#playground.library.peek().lessons.find((one) => one.number === number);
    const run: LessonRun | undefined = change === undefined
      ? lesson?.run
      : lesson?.changes[change - 1];
    if (run === undefined) throw new ShareError(`the lab has no lesson ${number}`);
    await this.#example(run.example, run.set);
  }

  async #given(): Promise<void> {
    const response = await fetch("given.json");
    if (!response.ok) {
      throw new ShareError("this address belongs to `lbsim play FILE`, which has ended");
    }
    const { scenario, files, recording } = await response.json();
    const isOpen = recording === undefined
      ? await this.#playground.open({ source: scenario, files })
      : await this.#playground.openRecording(recording);
    if (isOpen) await this.#begin();
  }

  async #live(): Promise<void> {
    const response = await fetch("../api/config");
    if (!response.ok) throw new ShareError("the balancer does not show its configuration here");
    const { in_use } = await response.json();
    // JSON is YAML, too.
    const source = { file: "config.yaml", text: JSON.stringify(in_use, null, 2) };
    if (await this.#playground.open({ source })) await this.#begin();
  }

  /** Opens files that the user has dropped or chosen. */
  async files(list: readonly File[]): Promise<void> {
    if (list.length === 0) return;
    const playground = this.#playground;
    try {
      const dropped = await readDropped(list);
      if (dropped.kind === "saved") await this.#shared(dropped.run);
      else if (dropped.kind === "recording") {
        if (!await playground.openRecording(dropped.parts)) return;
        await this.#begin();
      } else {
        const { source, files } = dropped;
        if (!await playground.open({ source, files })) return;
        const unused = Object.keys(files).filter((name) =>
          playground.opened.peek()?.files[name] === undefined
        );
        if (unused.length > 0) {
          playground.say(`${source.file} is open; it does not name ${unused.join(", ")}`);
        }
        await this.#begin();
      }
      history.replaceState(null, "", location.pathname + location.search);
      playground.lesson.value = undefined;
    } catch (error) {
      if (!(error instanceof DropError || error instanceof ShareError)) throw error;
      playground.fail(error.message);
    }
  }

  /** Begins slowly, and continues at a speed that suits the number of requests. */
  async #begin(): Promise<void> {
    const playground = this.#playground;
    const begin = 0.1;
    const end = playground.onUpdate(({ run, variants }) => {
      const perS = variants[0]?.flows.to_balancer.reduce((sum, rate) => sum + rate, 0) ?? 0;
      if (run.at_ms < 30 || perS === 0) return;
      end();
      // The user may have chosen another speed in the meantime.
      if (run.speed === begin) void playground.play(speedFor(perS, run.length_ms));
    });
    await playground.play(begin);
  }

  /**
   * Writes the whole state into the page's address.
   *
   * @returns The address; or, if the state is too long for an address, the state as the text of a file.
   */
  async share(): Promise<{ readonly address: string } | { readonly file: string }> {
    const playground = this.#playground;
    const opened = playground.opened.peek();
    const run = playground.latest?.run;
    if (opened === undefined || run === undefined) return { address: location.href };
    const isRecorded = run.recorded && playground.parts !== undefined;
    const written = await writtenRun({
      source: { file: playground.file.peek(), text: isRecorded ? "" : playground.text.peek() },
      files: isRecorded ? {} : opened.files,
      at_ms: run.at_ms,
      speed: run.speed,
      variant: playground.variant.peek(),
      ...isRecorded && { recording: playground.parts! },
    });
    if ("file" in written) return written;
    history.replaceState(null, "", written.hash);
    return { address: location.href };
  }
}

/** The number of requests per second that a viewer can follow. */
const FOLLOWED_PER_S = 40;
/** The longest time that a run may take on the page, in seconds of the wall clock. */
const RUN_S_MAX = 900;

/** The speed at which the eye can follow the requests, if the run is not too long for that. */
export function speedFor(perS: number, length_ms: number): number {
  const wanted = Math.max(FOLLOWED_PER_S / perS, length_ms / 1000 / RUN_S_MAX);
  return SPEEDS.find(([speed]) => speed >= Math.min(1, wanted))![0];
}
