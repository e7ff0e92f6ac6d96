import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";

/**
 * The numbers of a picture as a table. It is created only while it is open, because most pictures have many numbers.
 */
export function AsTable({ children }: { readonly children: () => ComponentChildren }) {
  const isOpen = useSignal(false);
  return (
    <details onToggle={({ currentTarget }) => isOpen.value = currentTarget.open}>
      <summary>As a table</summary>
      {isOpen.value && children()}
    </details>
  );
}
