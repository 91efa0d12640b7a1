// The map of the library: what is near sounds alike.
import { useEffect, useRef, useState } from "preact/hooks";
import { onMap } from "./location";
import { loadMap, NO_GENRE, type MapData } from "./mapData";
import { attempt } from "./notice";
import { useLoaded } from "./parts";
import { current } from "./player";
import { COLOURED, Scatter, type Colour } from "./scatter";
import { opened } from "./TrackDialog";
import { load, nameOf } from "./tracks";

const LIGHT = ["#7048c6", "#c2410c", "#0f766e", "#b91c5c", "#1d4ed8", "#6b7f0b", "#a16207", "#0e7490", "#9333aa", "#15803d", "#be123c", "#475a9c"];
const DARK = ["#b69cff", "#ff9d66", "#4fd1b8", "#ff8fbc", "#7fb0ff", "#cfe05a", "#f2c14e", "#5cd0ee", "#e7a0ff", "#78dd91", "#ff8a8a", "#a9b8f5"];
const GREY = { light: "#8a857c", dark: "#77727f" };
const DIMMED = 0.07;
const HOVER_MS = 120;

export default function LibraryMap() {
  const { found, failed } = useLoaded(loadMap, []);
  return (
    <section class="map">
      <h1>Your music as a map</h1>
      {failed && <p>{failed}</p>}
      {found === undefined && !failed && <p>The map is loading.</p>}
      {found === null && <p>There is no map yet. The DAG “playlists” draws it when the corpus has tracks with features.</p>}
      {found && <Drawn data={found} />}
    </section>
  );
}

function Drawn({ data }: { data: MapData }) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const mark = useRef<HTMLSpanElement>(null);
  const scatter = useRef<Scatter | null>(null);
  const [chosen, setChosen] = useState<number | null>(null);
  const [hovered, setHovered] = useState("");
  const [failed, setFailed] = useState("");
  const dark = useDark();
  const marked = data.ids.indexOf(onMap.value ?? current.value?.track_id ?? "");

  const placeMark = () => {
    if (!mark.current || !scatter.current) return;
    const [x, y] = marked < 0 ? [-99, -99] : scatter.current.place(marked);
    mark.current.style.translate = `${x}px ${y}px`;
  };
  const moved = useRef(placeMark);
  moved.current = placeMark;

  useEffect(() => {
    try {
      scatter.current = new Scatter(box.current!, canvas.current!, data, () => moved.current());
    } catch (error) {
      setFailed((error as Error).message);
      return;
    }
    return () => {
      scatter.current!.close();
      onMap.value = null;
    };
  }, [data]);
  useEffect(() => scatter.current?.paint(coloursOf(data, dark, chosen)), [data, dark, chosen, failed]);
  useEffect(() => {
    if (onMap.value && marked >= 0) scatter.current?.show(marked);
    placeMark();
  }, [marked]);

  const open = (index: number | undefined) => {
    if (index === undefined) return;
    void attempt(async () => {
      const [track] = await load([data.ids[index]!]);
      opened.value = track ? { track, reason: "" } : null;
    });
  };
  const timer = useRef(0);
  const hover = (event: PointerEvent) => {
    clearTimeout(timer.current);
    const [x, y] = placeOf(event);
    timer.current = window.setTimeout(() => {
      const index = scatter.current?.at(x, y);
      if (index === undefined) return setHovered("");
      void attempt(async () => {
        const [track] = await load([data.ids[index]!]);
        setHovered(track ? [nameOf(track), data.genres[data.genre[index]!]].filter(Boolean).join(" · ") : "");
      });
    }, HOVER_MS);
  };
  const placeOf = (event: MouseEvent): [number, number] => {
    const { left, top } = box.current!.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  const middle = () => {
    const { clientWidth, clientHeight } = box.current!;
    return scatter.current?.at(clientWidth / 2, clientHeight / 2, Infinity);
  };
  const keys: Record<string, (map: Scatter) => void> = {
    ArrowLeft: (map) => map.pan(1, 0),
    ArrowRight: (map) => map.pan(-1, 0),
    ArrowUp: (map) => map.pan(0, 1),
    ArrowDown: (map) => map.pan(0, -1),
    "+": (map) => map.scale(1.5),
    "-": (map) => map.scale(1 / 1.5),
    "0": (map) => map.reset(),
    Enter: () => open(middle()),
  };
  if (failed) return <p>{failed}</p>;
  return (
    <>
      <p id="map-help" class="small">
        {data.ids.length.toLocaleString()} tracks. What is near sounds alike. Drag and scroll to move, click a track to open
        it. With the keyboard: arrows, + and −, 0, and Enter for the track in the middle.
      </p>
      <ul class="legend" aria-label="Genres">
        {data.genres.slice(0, COLOURED).map((genre, index) => (
          <li key={genre}>
            <button type="button" aria-pressed={chosen === index} onClick={() => setChosen(chosen === index ? null : index)}>
              <span class="dot" style={{ background: (dark ? DARK : LIGHT)[index] }} />
              {genre}
            </button>
          </li>
        ))}
        {(data.genres.length > COLOURED || data.genre.includes(NO_GENRE)) && (
          <li>
            <span class="dot" style={{ background: dark ? GREY.dark : GREY.light }} />
            others
          </li>
        )}
      </ul>
      <div
        ref={box}
        class="canvas"
        tabindex={0}
        role="application"
        aria-label="Map of the library"
        aria-describedby="map-help"
        onClick={(event) => open(scatter.current?.at(...placeOf(event)))}
        onPointerMove={hover}
        onKeyDown={(event) => {
          const act = keys[event.key];
          if (!act || !scatter.current) return;
          event.preventDefault();
          act(scatter.current);
        }}
      >
        <canvas ref={canvas} />
        <span ref={mark} class="mark" />
        <span class="hovered" aria-live="polite">{hovered}</span>
      </div>
    </>
  );
}

function coloursOf(data: MapData, dark: boolean, chosen: number | null): Colour[] {
  const shown = data.x.length > 20_000 ? 0.7 : 0.9;
  const colours = [...(dark ? DARK : LIGHT), dark ? GREY.dark : GREY.light];
  return colours.map((hex, index) => {
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255) as [number, number, number];
    return [red, green, blue, chosen === null || chosen === index ? shown : DIMMED];
  });
}

function useDark(): boolean {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const changed = () => setDark(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return dark;
}
