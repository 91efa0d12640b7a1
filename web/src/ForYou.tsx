// The recommendations, which change while the listener listens.
import { useEffect, useState } from "preact/hooks";
import { get } from "./api";
import { Cards } from "./parts";
import { play } from "./player";
import { mine, owner } from "./session";
import { isHated } from "./feedback";
import { entriesOf, type Entry } from "./tracks";

interface List {
  model_version: string | null;
  generated_at: string | null;
  items: { track_id: string; short_reason: string; reason: string }[];
  /** Why there are none, or null. */
  unavailable: string | null;
}

interface Shown {
  entries: Entry[];
  list: List;
}

async function shownOf(list: List): Promise<Shown> {
  const items = list.items.map((item) => ({ id: item.track_id, reason: item.short_reason, details: item.reason }));
  return { list, entries: await entriesOf(items) };
}

export function ForYou() {
  const [shown, setShown] = useState<Shown | null>(null);
  const [failed, setFailed] = useState("");
  useEffect(() => {
    let wanted = true;
    const show = (list: List) => shownOf(list).then((found) => wanted && (setShown(found), setFailed("")));
    get<List>(mine("recommendations"), { explain: true })
      .then((list) => show(list!))
      .catch((error: Error) => wanted && setFailed(error.message));
    const changes = new EventSource(mine("recommendations/events"));
    changes.addEventListener("recommendations", (event) => void show(JSON.parse(event.data as string) as List).catch(() => {}));
    return () => {
      wanted = false;
      changes.close();
    };
  }, []);
  const entries = shown?.entries.filter(({ track }) => !isHated(track)) ?? [];
  const first = entries.find(({ track }) => !track.unplayable)?.track;
  return (
    <section>
      <header class="heading">
        <h1>Music for {owner}</h1>
        {first && (
          <button type="button" class="primary" onClick={() => play(entries.map(({ track }) => track), first)}>
            Play all
          </button>
        )}
      </header>
      {failed && !shown && <p>{failed}</p>}
      {shown && !entries.length && <p>{shown.list.unavailable ?? "There is nothing to recommend yet."}</p>}
      {shown && <Cards entries={entries} />}
      {shown?.list.generated_at && (
        <p class="small">
          Updated {new Date(shown.list.generated_at).toLocaleTimeString()} by {shown.list.model_version}
        </p>
      )}
    </section>
  );
}
