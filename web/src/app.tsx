// The page of a listener. Its parts are one file each.
import { render } from "preact";
import { lazy, Suspense } from "preact/compat";
import { useEffect, useState } from "preact/hooks";
import { loadFeedback } from "./feedback";
import { ForYou } from "./ForYou";
import { view, VIEWS } from "./location";
import { attempt, notice } from "./notice";
import { PlayerBar } from "./PlayerBar";
import { Playlists } from "./Playlists";
import { home, isOwner, lookUp, me, owner } from "./session";
import { NotYours, SignIn } from "./SignIn";
import "./style.css";
import { TrackDialog } from "./TrackDialog";
import { You } from "./You";

const LibraryMap = lazy(() => import("./LibraryMap"));
const SHOWN = { "for-you": ForYou, playlists: Playlists, map: LibraryMap, you: You };

function App() {
  const [why, setWhy] = useState("");
  useEffect(() => {
    lookUp().catch((error: Error) => {
      setWhy(error.message);
      me.value = null;
    });
  }, []);
  if (me.value === undefined) return null;
  if (me.value === null) return <SignIn why={why} />;
  if (!owner) {
    location.replace(home(me.value));
    return null;
  }
  return isOwner.value ? <Page /> : <NotYours />;
}

function Page() {
  useEffect(() => void attempt(loadFeedback), []);
  const Shown = SHOWN[view.value];
  useEffect(() => {
    document.title = `${VIEWS[view.value]} · Segue`;
  }, [view.value]);
  return (
    <>
      <header class="top">
        <span class="brand" aria-hidden="true">Segue</span>
        <nav aria-label="Views">
          {Object.entries(VIEWS).map(([name, said]) => (
            <a key={name} href={`#${name}`} aria-current={view.value === name ? "page" : undefined}>{said}</a>
          ))}
        </nav>
      </header>
      <main>
        <Suspense fallback={null}>
          <Shown />
        </Suspense>
      </main>
      <PlayerBar />
      <TrackDialog />
      <p class={`notice ${notice.value ? "" : "empty"}`} role="status">{notice}</p>
    </>
  );
}

render(<App />, document.getElementById("app")!);
