import { useShared } from "./context.ts";

/** The better variant, and whether the difference is significant. */
export function Verdict() {
  const { playground } = useShared();
  const sentence = playground.statistics.value?.verdict.sentence ?? "";
  return <p class="verdict" role="status" hidden={sentence === ""}>{sentence}</p>;
}
