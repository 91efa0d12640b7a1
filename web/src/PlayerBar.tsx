// What is playing, at the bottom of the page, and the queue.
import { useState } from "preact/hooks";
import { Artwork, Dialog, IconButton, Judging } from "./parts";
import { opened } from "./TrackDialog";
import * as player from "./player";
import { clock, nameOf, titleOf } from "./tracks";

export function PlayerBar() {
  const [shown, setShown] = useState(false);
  const track = player.current.value;
  if (!track) return null;
  return (
    <footer class="player" aria-label="Player">
      <Artwork track={track} />
      <span class="names">
        <button type="button" class="title" onClick={() => (opened.value = { track, reason: "" })}>{titleOf(track)}</button>
        <span class="artist">{track.artist}</span>
      </span>
      <span class="controls">
        <IconButton shape="previous" label="Previous track" onClick={player.previous} />
        <IconButton
          shape={player.playing.value ? "pause" : "play"}
          class="main"
          label={player.playing.value ? "Pause" : "Play"}
          onClick={player.toggle}
        />
        <IconButton shape="next" label="Skip" onClick={player.skip} />
      </span>
      <span class="progress">
        <span class="time">{clock(player.position.value)}</span>
        <input
          type="range"
          aria-label="Position"
          aria-valuetext={`${clock(player.position.value)} of ${clock(player.duration.value)}`}
          min={0}
          max={Math.max(1, Math.round(player.duration.value))}
          value={Math.round(player.position.value)}
          onInput={(event) => player.seek(Number(event.currentTarget.value))}
        />
        <span class="time">{clock(player.duration.value)}</span>
      </span>
      <span class="actions">
        <Judging track={track} onHate={player.skip} />
        <IconButton shape="queue" label="Queue" onClick={() => setShown(true)} />
      </span>
      <Dialog open={shown} label="Queue" onClose={() => setShown(false)}>
        <h2>Queue</h2>
        <ol class="rows queue">
          {player.queue.value.map((each, index) => (
            <li key={`${index} ${each.track_id}`} class={index === player.at.value ? "current" : ""}>
              <button type="button" class="title" onClick={() => player.jump(index)} aria-label={`Play ${nameOf(each)}`}>
                {titleOf(each)}
              </button>
              <span class="artist">{each.artist}</span>
              <IconButton shape="close" label={`Remove ${titleOf(each)}`} onClick={() => player.removeAt(index)} />
            </li>
          ))}
        </ol>
      </Dialog>
    </footer>
  );
}
