// What the listener loves and hates.
import { signal } from "@preact/signals";
import { get, post, segment } from "./api";
import { attempt, say } from "./notice";
import { owner } from "./session";
import { nameOf, type Track } from "./tracks";

interface Stored {
  recording_mbid: string | null;
  recording_msid: string | null;
  score: number;
}

const scores = signal<ReadonlyMap<string, number>>(new Map());

const idsOf = (of: { recording_mbid: string | null; recording_msid: string | null }) =>
  [of.recording_mbid?.toLowerCase(), of.recording_msid].filter((id) => !!id) as string[];

export async function loadFeedback(): Promise<void> {
  const path = `/1/feedback/user/${segment(owner)}/get-feedback`;
  const found = await get<{ feedback: Stored[] }>(path, { count: 1000 });
  scores.value = new Map(found!.feedback.flatMap((each) => idsOf(each).map((id) => [id, each.score] as const)));
}

/** 1 for love, -1 for hate, 0 for neither. */
export function scoreOf(track: Track): number {
  return idsOf(track).map((id) => scores.value.get(id)).find((score) => score) ?? 0;
}

export const isHated = (track: Track) => scoreOf(track) === -1;

/** Love or hate a track. What the track has already is withdrawn. The page shows it at once. */
export async function judge(track: Track, score: 1 | -1): Promise<void> {
  const before = scores.value;
  const wanted = scoreOf(track) === score ? 0 : score;
  scores.value = new Map([...before, ...idsOf(track).map((id) => [id, wanted] as const)]);
  await attempt(async () => {
    try {
      const ids = track.recording_mbid ? { recording_mbid: track.recording_mbid } : {};
      const recording = { recording_msid: track.recording_msid, ...ids };
      await post("/1/feedback/recording-feedback", { ...recording, score: wanted });
      const done = { 1: "You love", 0: "You no longer judge", [-1]: "You will not see again:" }[wanted];
      say(`${done} ${nameOf(track)}.`);
    } catch (error) {
      scores.value = before;
      throw error;
    }
  });
}
