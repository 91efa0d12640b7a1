// The playlists of today, those on request, and the one that is open.
import { useState } from "preact/hooks";
import { get } from "./api";
import { Rows, useLoaded } from "./parts";
import { play } from "./player";
import { daily, open, request, type Playlist } from "./requested";
import { owner } from "./session";

export function Playlists() {
  if (open.value) return <Opened />;
  return (
    <section>
      <h1>Playlists</h1>
      <Daily />
      <Kind kind="genre" />
      <Kind kind="mood" />
      <h2>From a track</h2>
      <p>Open any track, and choose “Radio” or “Path from here”.</p>
    </section>
  );
}

function Daily() {
  const { found, failed } = useLoaded(() => daily(owner), []);
  if (failed) return <p>{failed}</p>;
  if (!found) return null;
  if (!found.length) return <p>Segue makes playlists every day for listeners who have played something.</p>;
  return (
    <ul class="daily">
      {found.map((each) => (
        <li key={each.kind}>
          <button type="button" class={each.kind} onClick={() => request(each.kind)}>
            <strong>{each.title}</strong>
            <span>{each.description}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Genres or moods to choose from; nothing if there are none. */
function Kind({ kind }: { kind: "genre" | "mood" }) {
  const { found } = useLoaded(() => get<Record<string, string[]>>(`/v1/${kind}s`), []);
  const [minutes, setMinutes] = useState(60);
  const names = found?.[`${kind}s`];
  if (!names?.length) return null;
  return (
    <>
      <h2>A {kind}</h2>
      <p>
        <label>
          For{" "}
          <select value={minutes} onChange={(event) => setMinutes(Number(event.currentTarget.value))}>
            {[30, 60, 120].map((each) => (
              <option key={each} value={each}>
                {each} minutes
              </option>
            ))}
          </select>
        </label>
      </p>
      <ul class={`choices ${kind}s`}>
        {names.map((name) => (
          <li key={name}>
            <button type="button" onClick={() => request(kind, { [kind]: name, minutes })}>
              {name}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function Opened() {
  const { loading, found, failed } = open.value!;
  return (
    <section>
      <p>
        <button type="button" onClick={() => (open.value = null)}>← All playlists</button>
      </p>
      {loading && <p>The playlist is being made.</p>}
      {failed && <p>{failed}</p>}
      {found && <List playlist={found} />}
    </section>
  );
}

function List({ playlist }: { playlist: Playlist }) {
  const tracks = playlist.entries.map(({ track }) => track);
  const first = tracks.find((track) => !track.unplayable);
  return (
    <>
      <header class="heading">
        <h1>{playlist.title}</h1>
        {first && (
          <button type="button" class="primary" onClick={() => play(tracks, first)}>Play all</button>
        )}
        <a href={playlist.file} download>As a file for players</a>
      </header>
      <p class="reason">{playlist.description}</p>
      {tracks.length ? <Rows entries={playlist.entries} /> : <p>This playlist is empty.</p>}
    </>
  );
}
