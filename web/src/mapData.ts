// The map of the library as the API sends it: see `segue.api.sound_map`.
import { ask } from "./api";

/** Places of tracks in the square from -1 to 1, in equal order in all arrays. */
export interface MapData {
  x: Float32Array;
  y: Float32Array;
  /** Index of the genre in `genres`; NO_GENRE if it is not known. */
  genre: Uint8Array;
  genres: string[];
  ids: string[];
}

export const NO_GENRE = 255;

export async function loadMap(): Promise<MapData | null> {
  const answer = await ask("/v1/map");
  if (answer.status === 204) return null;
  const bytes = await answer.arrayBuffer();
  const n = new DataView(bytes).getUint32(0, true);
  const [x, y, genre, names] = [4, 4 + 4 * n, 4 + 8 * n, 4 + 9 * n] as const;
  const { genres, track_ids: ids } = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, names))) as {
    genres: string[];
    track_ids: string[];
  };
  return {
    x: new Float32Array(bytes, x, n), // the browsers' computers are little-endian, as the format is
    y: new Float32Array(bytes, y, n),
    genre: new Uint8Array(bytes, genre, n),
    genres,
    ids,
  };
}
