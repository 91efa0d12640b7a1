// Tracks of the corpus, read once each.
import { get, segment } from "./api";

export interface Track {
  track_id: string;
  title: string;
  artist: string;
  album: string;
  genre: string | null;
  duration_s: number | null;
  recording_mbid: string | null;
  recording_msid: string;
  /** Why it cannot be played here, or null. */
  unplayable: string | null;
  /** Whether its sound can be compared with that of others. */
  comparable: boolean;
}

/** A track in a list, and why it is there. */
export interface Entry {
  track: Track;
  reason: string;
  /** The reason in full, if it is longer. */
  details?: string;
}

const AT_ONCE = 100;
const known = new Map<string, Track>();

/** Read tracks, in the order of the ids. Those that are gone from the corpus are left out. */
export async function load(ids: readonly string[]): Promise<Track[]> {
  const missing = [...new Set(ids)].filter((id) => !known.has(id));
  for (let start = 0; start < missing.length; start += AT_ONCE) {
    const found = await get<{ tracks: Track[] }>("/v1/tracks", { id: missing.slice(start, start + AT_ONCE) });
    for (const track of found!.tracks) known.set(track.track_id, track);
  }
  return ids.map((id) => known.get(id)).filter((track) => track !== undefined);
}

/** Read the tracks of a list, each with its reason. */
export async function entriesOf(items: readonly { id: string; reason: string; details?: string }[]): Promise<Entry[]> {
  const found = new Map((await load(items.map((item) => item.id))).map((track) => [track.track_id, track]));
  return items.flatMap(({ id, ...why }) => {
    const track = found.get(id);
    return track ? [{ track, ...why }] : [];
  });
}

export const titleOf = (track: Track) => track.title || track.track_id;
export const nameOf = (track: Track) => titleOf(track) + (track.artist ? ` by ${track.artist}` : "");
export const artworkOf = (track: Track) => `/v1/tracks/${segment(track.track_id)}/artwork`;
export const audioOf = (track: Track) => `/v1/tracks/${segment(track.track_id)}/audio`;

/** Seconds as minutes and seconds, such as 3:07. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
