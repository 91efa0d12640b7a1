// The queue, the sound, the media keys, and the listens that result.
import { batch, computed, effect, signal } from "@preact/signals";
import { ask, post } from "./api";
import { attempt, say } from "./notice";
import { artworkOf, audioOf, nameOf, titleOf, type Track } from "./tracks";

const MAX_WAIT_S = 240; // a play counts after half of the track, or after so long
const SKIP_BELOW_S = 30; // what was played for longer is no skip

export const queue = signal<readonly Track[]>([]);
export const at = signal(0);
export const playing = signal(false);
export const position = signal(0);
export const duration = signal(0);
export const current = computed<Track | undefined>(() => queue.value[at.value]);

const audio = new Audio();
let loaded = "";
let startedAt = 0;
let counted = false;
let picture = "";

/** Play a list from one of its tracks on. */
export function play(tracks: readonly Track[], first: Track): void {
  if (first.unplayable) {
    say(first.unplayable);
    return;
  }
  const playable = tracks.filter((track) => !track.unplayable);
  go(playable, playable.indexOf(first));
}

/** Play or pause a track of a list: the track that is playing is paused. */
export function toggleIn(tracks: readonly Track[], track: Track): void {
  if (current.value?.track_id === track.track_id) toggle();
  else play(tracks, track);
}

export function enqueue(track: Track): void {
  if (track.unplayable) {
    say(track.unplayable);
  } else if (!queue.value.length) {
    go([track], 0);
  } else {
    queue.value = [...queue.value, track];
    say(`${nameOf(track)} is in the queue.`);
  }
}

export function removeAt(index: number): void {
  const left = queue.value.filter((_, i) => i !== index);
  if (index === at.value) go(left, Math.min(index, left.length - 1));
  else
    batch(() => {
      queue.value = left;
      if (index < at.value) at.value -= 1;
    });
}

export function toggle(): void {
  if (!current.value) return;
  if (audio.paused) void start();
  else audio.pause();
}

export function jump(index: number): void {
  go(queue.value, index);
}

/** Go to the next track. If little was played of this one, that is a skip, and Segue is told. */
export function skip(): void {
  const track = current.value;
  const heard = played();
  if (track && !counted && heard > 0 && heard < Math.min(SKIP_BELOW_S, audio.duration / 2)) {
    void submit("single", track, { duration_played: Math.max(1, Math.round(heard)) });
    say(`${nameOf(track)} was skipped.`);
  }
  next();
}

export function previous(): void {
  if (audio.currentTime > 3 || at.value === 0) audio.currentTime = 0;
  else jump(at.value - 1);
}

export function seek(seconds: number): void {
  audio.currentTime = Math.max(0, Math.min(seconds, audio.duration || duration.value));
  position.value = audio.currentTime;
}

function next(): void {
  if (at.value + 1 < queue.value.length) jump(at.value + 1);
  else audio.pause();
}

function go(tracks: readonly Track[], index: number): void {
  batch(() => {
    queue.value = tracks;
    at.value = Math.max(0, index);
    position.value = 0;
    duration.value = current.value?.duration_s ?? 0;
  });
  const track = current.value;
  if (!track) {
    audio.pause();
    audio.removeAttribute("src");
    loaded = "";
    return;
  }
  audio.src = audioOf(track);
  loaded = track.track_id;
  counted = false;
  startedAt = Math.floor(Date.now() / 1000);
  void start();
  void submit("playing_now", track, {});
  void describe(track);
}

async function start(): Promise<void> {
  try {
    await audio.play();
  } catch (error) {
    const reason = (error as DOMException).name;
    if (reason === "NotAllowedError") say("The browser did not start the sound. Press play.");
    else if (reason !== "AbortError" && current.value) say(`${nameOf(current.value)} cannot be played.`);
  }
}

function played(): number {
  let seconds = 0;
  for (let i = 0; i < audio.played.length; i++) seconds += audio.played.end(i) - audio.played.start(i);
  return seconds;
}

function submit(kind: "single" | "playing_now", track: Track, more: Record<string, number>): Promise<void> {
  if (!track.artist || !track.title) return Promise.resolve(); // a listen needs both names
  const seconds = audio.duration || track.duration_s || 0;
  const info = {
    segue_track_id: track.track_id,
    media_player: "Segue",
    submission_client: "Segue",
    ...(seconds ? { duration_ms: Math.round(1000 * seconds) } : {}),
    ...(track.recording_mbid ? { recording_mbid: track.recording_mbid } : {}),
    ...more,
  };
  const names = { artist_name: track.artist, track_name: track.title, release_name: track.album || undefined };
  const time = kind === "single" ? { listened_at: startedAt } : {};
  const payload = [{ ...time, track_metadata: { ...names, additional_info: info } }];
  return attempt(() => post("/1/submit-listens", { listen_type: kind, payload }));
}

audio.addEventListener("play", () => (playing.value = true));
audio.addEventListener("pause", () => (playing.value = false));
audio.addEventListener("ended", next);
audio.addEventListener("durationchange", () => (duration.value = audio.duration || 0));
audio.addEventListener("timeupdate", () => {
  position.value = audio.currentTime;
  const track = current.value;
  const heard = played();
  if (track?.track_id === loaded && !counted && heard > 0 && heard >= Math.min(audio.duration / 2, MAX_WAIT_S)) {
    counted = true;
    void submit("single", track, {});
  }
});

const session = navigator.mediaSession as MediaSession | undefined;

/** Show the browser, and with it the lock screen, what is playing. */
async function describe(track: Track): Promise<void> {
  if (!session) return;
  const names = { title: titleOf(track), artist: track.artist, album: track.album };
  session.metadata = new MediaMetadata(names);
  URL.revokeObjectURL(picture);
  picture = "";
  const found = await ask(artworkOf(track)).then((answer) => (answer.status === 200 ? answer.blob() : null), () => null);
  if (!found || current.value !== track) return;
  picture = URL.createObjectURL(found);
  session.metadata = new MediaMetadata({ ...names, artwork: [{ src: picture, type: found.type }] });
}

if (session) {
  session.setActionHandler("play", toggle);
  session.setActionHandler("pause", toggle);
  session.setActionHandler("previoustrack", previous);
  session.setActionHandler("nexttrack", skip);
  session.setActionHandler("seekto", (details) => seek(details.seekTime ?? 0));
  session.setActionHandler("seekbackward", (details) => seek(audio.currentTime - (details.seekOffset ?? 10)));
  session.setActionHandler("seekforward", (details) => seek(audio.currentTime + (details.seekOffset ?? 10)));
  effect(() => {
    session.playbackState = playing.value ? "playing" : current.value ? "paused" : "none";
  });
  effect(() => {
    const whole = duration.value;
    if (whole > 0 && Number.isFinite(whole)) {
      session.setPositionState({ duration: whole, position: Math.min(position.value, whole) });
    }
  });
}
