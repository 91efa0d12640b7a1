// The view that is shown is named by the part of the address after #.
import { signal } from "@preact/signals";

export const VIEWS = { "for-you": "For you", playlists: "Playlists", map: "Map", you: "You" } as const;
export type View = keyof typeof VIEWS;

const named = (): View => {
  const name = location.hash.slice(1);
  return name in VIEWS ? (name as View) : "for-you";
};

export const view = signal<View>(named());

/** The track that the map shows, if the listener has asked for it. */
export const onMap = signal<string | null>(null);

export function go(to: View): void {
  location.hash = to;
}

export function showOnMap(track: string): void {
  onMap.value = track;
  go("map");
}

addEventListener("hashchange", () => (view.value = named()));
