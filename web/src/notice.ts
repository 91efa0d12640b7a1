// One sentence at a time for the listener, which screen readers speak.
import { signal } from "@preact/signals";

const SHOWN_MS = 8000;
let timer = 0;

export const notice = signal("");

export function say(sentence: string): void {
  clearTimeout(timer);
  notice.value = sentence;
  timer = window.setTimeout(() => (notice.value = ""), SHOWN_MS);
}

/** Do something; if it fails, say why. */
export async function attempt(doing: () => Promise<unknown>): Promise<void> {
  try {
    await doing();
  } catch (error) {
    say((error as Error).message);
  }
}
