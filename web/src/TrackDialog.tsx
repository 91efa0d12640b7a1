// Everything about one track: its details, what sounds like it, and the playlists that begin with it.
import { signal } from "@preact/signals";
import { get, segment } from "./api";
import { showOnMap } from "./location";
import { say } from "./notice";
import { Artwork, Dialog, Judging, Rows, useLoaded } from "./parts";
import { enqueue, play } from "./player";
import { request } from "./requested";
import { entriesOf, nameOf, titleOf, type Entry, type Track } from "./tracks";

/** The track whose dialog is open, and why it was in a list. */
export const opened = signal<Entry | null>(null);

/** Where a path begins, if the listener is choosing its end. */
const pathStart = signal<Track | null>(null);

interface Similar {
  similar: { track_id: string; similarity: number }[];
}

async function similarTo(track: Track) {
  if (!track.comparable) throw new Error("This track cannot be compared by sound yet.");
  const found = await get<Similar>(`/v1/tracks/${segment(track.track_id)}/similar`, { count: 8 });
  return entriesOf(found!.similar.map((each) => ({ id: each.track_id, reason: "" })));
}

export function TrackDialog() {
  const entry = opened.value;
  return (
    <Dialog open={!!entry} label={entry ? nameOf(entry.track) : "Track"} onClose={() => (opened.value = null)}>
      {entry && <Details {...entry} key={entry.track.track_id} />}
    </Dialog>
  );
}

function Details({ track, details }: Entry) {
  const similar = useLoaded(() => similarTo(track), [track.track_id]);
  const start = pathStart.value;
  const close = () => (opened.value = null);
  return (
    <>
      <div class="about">
        <Artwork track={track} />
        <div>
          <h2>{titleOf(track)}</h2>
          <p class="artist">{track.artist}</p>
          <p class="reason">{[track.album, track.genre].filter(Boolean).join(" · ")}</p>
          <Judging track={track} />
        </div>
      </div>
      {track.unplayable && <p>{track.unplayable}</p>}
      {details && <p class="small">{details}</p>}
      <div class="choices">
        <button type="button" disabled={!!track.unplayable} onClick={() => play([track], track)}>Play</button>
        <button type="button" disabled={!!track.unplayable} onClick={() => enqueue(track)}>Add to the queue</button>
        <button type="button" disabled={!track.comparable} onClick={() => (close(), request("radio", { track: track.track_id }))}>Radio</button>
        {start && start.track_id !== track.track_id ? (
          <button
            type="button"
            disabled={!track.comparable}
            onClick={() => {
              pathStart.value = null;
              close();
              request("path", { start: start.track_id, end: track.track_id });
            }}
          >
            Path from “{titleOf(start)}” to here
          </button>
        ) : (
          <button
            type="button"
            disabled={!track.comparable}
            onClick={() => {
              pathStart.value = track;
              close();
              say(`The path begins at ${nameOf(track)}. Open the track where it ends.`);
            }}
          >
            Path from here
          </button>
        )}
        <button type="button" disabled={!track.comparable} onClick={() => (close(), showOnMap(track.track_id))}>Show on the map</button>
      </div>
      <h3>Sounds like it</h3>
      {similar.failed && <p>{similar.failed}</p>}
      {similar.found && (similar.found.length ? <Rows entries={similar.found} /> : <p>Nothing else in this corpus.</p>)}
    </>
  );
}
