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
      <Genre />
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

function Genre() {
  const { found } = useLoaded(() => get<{ genres: string[] }>("/v1/genres"), []);
  const [minutes, setMinutes] = useState(60);
  if (!found?.genres.length) return null;
  return (
    <>
      <h2>A genre</h2>
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
      <ul class="genres">
        {found.genres.map((genre) => (
          <li key={genre}>
            <button type="button" onClick={() => request("genre", { genre, minutes })}>
              {genre}
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
