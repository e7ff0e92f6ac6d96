import { useShared } from "./context.ts";

/** Which variant leads, and whether that is more than chance. */
export function Verdict() {
  const { playground } = useShared();
  const sentence = playground.statistics.value?.verdict.sentence ?? "";
  return <p class="verdict" role="status" hidden={sentence === ""}>{sentence}</p>;
}
