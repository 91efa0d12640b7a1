// Playlists, as the API writes them (JSPF), and the one that is open.
import { signal } from "@preact/signals";
import { address, get } from "./api";
import { go } from "./location";
import { mine } from "./session";
import { entriesOf, type Entry } from "./tracks";

export interface Playlist {
  title: string;
  description: string;
  entries: Entry[];
  /** Where it is as a file for players. */
  file: string;
}

interface Jspf {
  playlist: {
    title: string;
    annotation: string;
    track: { annotation: string; extension: Record<string, { additional_metadata: { segue_track_id: string } }> }[];
    extension: Record<string, { additional_metadata: { algorithm_metadata: { source_patch: string } } }>;
  };
}

const PLAYLIST = "https://musicbrainz.org/doc/jspf#playlist";
const TRACK = "https://musicbrainz.org/doc/jspf#track";

/** The playlist that is open: what was asked for, then the playlist, or why there is none. */
export const open = signal<{ loading?: boolean; found?: Playlist; failed?: string } | null>(null);

/** Ask for a playlist, and show it. */
export async function request(kind: string, values: Record<string, string | number> = {}): Promise<void> {
  go("playlists");
  const asked = (open.value = { loading: true });
  let shown: typeof open.value;
  try {
    shown = { found: await read(kind, values) };
  } catch (error) {
    shown = { failed: (error as Error).message };
  }
  if (open.value === asked) open.value = shown;
}

async function read(kind: string, values: Record<string, string | number>): Promise<Playlist> {
  const path = mine(`playlists/${kind}`);
  const { playlist } = (await get<Jspf>(path, values))!;
  const items = playlist.track.map((track) => ({
    id: track.extension[TRACK]!.additional_metadata.segue_track_id,
    reason: track.annotation.replace(/\.$/, ""),
  }));
  const same = new Set(items.slice(1).map((item) => item.reason)).size === 1;
  if (same) for (const item of items) item.reason = ""; // the description says it once
  return {
    title: playlist.title,
    description: playlist.annotation,
    entries: await entriesOf(items),
    file: address(path, { ...values, format: "m3u8" }),
  };
}

/** A playlist that is made every day, without its tracks. */
export interface Daily {
  kind: string;
  title: string;
  description: string;
}

export async function daily(user: string): Promise<Daily[]> {
  const found = await get<{ playlists: Jspf[] }>(`/1/user/${encodeURIComponent(user)}/playlists/createdfor`);
  return found!.playlists.map(({ playlist }) => ({
    kind: playlist.extension[PLAYLIST]!.additional_metadata.algorithm_metadata.source_patch,
    title: playlist.title,
    description: playlist.annotation,
  }));
}
