// What the listener has listened to, by day, genre and artist; what was refused; and the way out.
import { useState } from "preact/hooks";
import { get } from "./api";
import { useLoaded } from "./parts";
import { me, mine, signOut, statistics } from "./session";

const PERIODS = { this_week: "this week", this_month: "this month", this_year: "this year", all_time: "ever" } as const;
type Period = keyof typeof PERIODS;

const COUNT = 12;

interface Activity {
  payload: { from_ts: number; listening_activity: { from_ts: number; listen_count: number; time_range: string }[] };
}

interface Counted {
  name: string;
  listens: number;
}

export function You() {
  const [period, setPeriod] = useState<Period>("this_month");
  return (
    <section>
      <header class="heading">
        <h1>What you listened to</h1>
        <label>
          <span class="hidden">Period</span>
          <select value={period} onChange={(event) => setPeriod(event.currentTarget.value as Period)}>
            {Object.entries(PERIODS).map(([name, said]) => (
              <option key={name} value={name}>{said}</option>
            ))}
          </select>
        </label>
      </header>
      <Days period={period} />
      <div class="columns">
        <Most what="genres" field="genre" title="Genres" period={period} />
        <Most what="artists" field="artist_name" title="Artists" period={period} />
        <Most what="recordings" field="track_name" title="Tracks" period={period} />
      </div>
      <RefusedListens />
      <p class="account">
        You are signed in as {me}. <button type="button" onClick={signOut}>Sign out</button>
      </p>
    </section>
  );
}

function Days({ period }: { period: Period }) {
  const { found, failed } = useLoaded(() => get<Activity>(statistics("listening-activity"), { range: period }), [period]);
  if (failed) return <p>{failed}</p>;
  if (found === undefined) return null;
  const steps = (found?.payload.listening_activity ?? []).filter((step) => step.from_ts >= found!.payload.from_ts || period === "all_time");
  const most = Math.max(0, ...steps.map((step) => step.listen_count));
  if (!most) return <p>You have listened to nothing in this period.</p>;
  return (
    <figure class="days">
      <ol aria-label="Listens over time">
        {steps.map((step) => (
          <li key={step.from_ts} title={`${step.time_range}: ${step.listen_count}`}>
            <span class="bar" style={{ "--share": step.listen_count / most }} />
            <span class="hidden">
              {step.time_range}: {step.listen_count} {step.listen_count === 1 ? "listen" : "listens"}
            </span>
          </li>
        ))}
      </ol>
      <figcaption aria-hidden="true">
        <span>{steps[0]!.time_range}</span>
        <span>at most {most}</span>
        <span>{steps.at(-1)!.time_range}</span>
      </figcaption>
    </figure>
  );
}

async function mostPlayed(what: string, field: string, period: Period): Promise<Counted[]> {
  type Answer = { payload: Record<string, Record<string, string | number>[]> };
  const found = await get<Answer>(statistics(what), { range: period, count: COUNT });
  return (found?.payload[what] ?? []).map((row) => ({ name: String(row[field]), listens: Number(row.listen_count) }));
}

function Most(props: { what: string; field: string; title: string; period: Period }) {
  const { found, failed } = useLoaded(() => mostPlayed(props.what, props.field, props.period), [props.period]);
  const most = Math.max(1, ...(found ?? []).map((each) => each.listens));
  if (!failed && !found?.length) return null;
  return (
    <div>
      <h2>{props.title}</h2>
      {failed && <p>{failed}</p>}
      <ol class="most">
        {found?.map((each) => (
          <li key={each.name} style={{ "--share": each.listens / most }}>
            <span>{each.name}</span>
            <span class="count">{each.listens}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

interface Refusal {
  refused_at: number;
  error: string;
  listen: string;
}

function RefusedListens() {
  const { found } = useLoaded(() => get<{ refused: Refusal[] }>(mine("refused-listens")), []);
  if (!found?.refused.length) return null;
  return (
    <>
      <h2>Recently refused listens</h2>
      <p>Your player sent these listens, but they were not accepted. All its other listens are stored.</p>
      <ul class="refusals">
        {found.refused.map((each, index) => (
          <li key={index}>
            {new Date(each.refused_at * 1000).toLocaleString()}: {each.error}
            <span class="reason">{each.listen}</span>
          </li>
        ))}
      </ul>
    </>
  );
}
