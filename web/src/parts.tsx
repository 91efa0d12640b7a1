// What several views show: artwork, buttons, and tracks as cards and as rows.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { isHated, judge, scoreOf } from "./feedback";
import { Icon, type Shape } from "./icons";
import { current, playing, toggleIn } from "./player";
import { opened } from "./TrackDialog";
import { artworkOf, clock, nameOf, titleOf, type Entry, type Track } from "./tracks";

/** The picture of a track, or a coloured tile with initials. */
export function Artwork({ track }: { track: Track }) {
  const [missing, setMissing] = useState(!!track.unplayable); // without its file there is no picture either
  const [shown, setShown] = useState(false);
  useEffect(() => {
    setMissing(!!track.unplayable);
    setShown(false);
  }, [track.track_id]);
  return (
    <span class="artwork" style={{ "--hue": hue(track.artist + track.album) }} aria-hidden="true">
      {!shown && initials(track.artist || titleOf(track))}
      {!missing && (
        <img
          key={track.track_id}
          src={artworkOf(track)}
          alt=""
          loading="lazy"
          decoding="async"
          onLoad={() => setShown(true)}
          onError={() => setMissing(true)}
        />
      )}
    </span>
  );
}

function initials(name: string): string {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? ["?"];
  return words.slice(0, 2).map((word) => [...word][0]!.toUpperCase()).join("");
}

function hue(text: string): number {
  let sum = 0;
  for (const character of text) sum = (sum * 31 + character.codePointAt(0)!) % 360;
  return sum;
}

export function IconButton(props: {
  shape: Shape;
  label: string;
  onClick: () => void;
  pressed?: boolean;
  class?: string;
  disabled?: boolean;
}) {
  return (
    <button
      type="button"
      class={`round ${props.class ?? ""}`}
      aria-label={props.label}
      title={props.label}
      aria-pressed={props.pressed}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <Icon shape={props.shape} />
    </button>
  );
}

export function Judging({ track, onHate }: { track: Track; onHate?: () => void }) {
  const score = scoreOf(track);
  const hate = () => {
    if (score !== -1) onHate?.();
    void judge(track, -1);
  };
  return (
    <>
      <IconButton shape="love" class="love" label={`Love ${titleOf(track)}`} pressed={score === 1} onClick={() => judge(track, 1)} />
      <IconButton shape="hate" class="hate" label={`Hate ${titleOf(track)}`} pressed={score === -1} onClick={hate} />
    </>
  );
}

function PlayButton({ track, tracks, children }: { track: Track; tracks: readonly Track[]; children?: ComponentChildren }) {
  const on = playing.value && current.value?.track_id === track.track_id;
  return (
    <button type="button" class="cover" aria-label={`${on ? "Pause" : "Play"} ${nameOf(track)}`} onClick={() => toggleIn(tracks, track)}>
      {children}
      <Artwork track={track} />
      <span class={`over ${on ? "on" : ""} ${track.unplayable ? "never" : ""}`}>
        <Icon shape={on ? "pause" : "play"} />
      </span>
    </button>
  );
}

function Names({ entry }: { entry: Entry }) {
  const { track } = entry;
  return (
    <>
      <button type="button" class="title" title={titleOf(track)} onClick={() => (opened.value = entry)}>
        {titleOf(track)}
      </button>
      <span class="artist">{track.artist}</span>
    </>
  );
}

function Actions({ entry }: { entry: Entry }) {
  return (
    <span class="actions">
      <Judging track={entry.track} />
      <IconButton shape="more" label={`More about ${titleOf(entry.track)}`} onClick={() => (opened.value = entry)} />
    </span>
  );
}

/** Tracks as a grid of covers. */
export function Cards({ entries }: { entries: readonly Entry[] }) {
  const shown = entries.filter(({ track }) => !isHated(track));
  const tracks = shown.map(({ track }) => track);
  return (
    <ol class="cards" aria-label="Tracks">
      {shown.map((entry) => (
        <li key={entry.track.track_id} class={isCurrent(entry.track)}>
          <PlayButton track={entry.track} tracks={tracks} />
          <Names entry={entry} />
          <span class="reason">{entry.reason}</span>
          <Actions entry={entry} />
        </li>
      ))}
    </ol>
  );
}

/** Tracks as a list. */
export function Rows({ entries }: { entries: readonly Entry[] }) {
  const shown = entries.filter(({ track }) => !isHated(track));
  const tracks = shown.map(({ track }) => track);
  return (
    <ol class="rows">
      {shown.map((entry) => (
        <li key={entry.track.track_id} class={isCurrent(entry.track)}>
          <PlayButton track={entry.track} tracks={tracks} />
          <span class="names">
            <Names entry={entry} />
            {entry.reason && <span class="reason">{entry.reason}</span>}
          </span>
          <span class="time">{entry.track.duration_s ? clock(entry.track.duration_s) : ""}</span>
          <Actions entry={entry} />
        </li>
      ))}
    </ol>
  );
}

const isCurrent = (track: Track) => (current.value?.track_id === track.track_id ? "current" : "");

/** A dialog that Escape, its button, and a click beside it close. */
export function Dialog(props: { open: boolean; label: string; onClose: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (props.open && !dialog.current!.open) dialog.current!.showModal();
    if (!props.open && dialog.current!.open) dialog.current!.close();
  }, [props.open]);
  return (
    <dialog
      ref={dialog}
      aria-label={props.label}
      onClose={props.onClose}
      onClick={(event) => event.target === dialog.current && dialog.current!.close()}
    >
      {props.open && (
        <div class="inside">
          <IconButton shape="close" class="close" label="Close" onClick={() => dialog.current!.close()} />
          {props.children}
        </div>
      )}
    </dialog>
  );
}

/** What loads, then is shown; a sentence while it loads and if it fails. */
export function useLoaded<T>(loading: () => Promise<T>, when: readonly unknown[]): { found?: T; failed?: string } {
  const [state, setState] = useState<{ found?: T; failed?: string }>({});
  useEffect(() => {
    let wanted = true;
    setState({});
    loading().then(
      (found) => wanted && setState({ found }),
      (error: Error) => wanted && setState({ failed: error.message }),
    );
    return () => {
      wanted = false;
    };
  }, when);
  return state;
}
