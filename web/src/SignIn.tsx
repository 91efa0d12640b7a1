// The form for the token, and what is shown to those whose page it is not.
import { useState } from "preact/hooks";
import { home, me, owner, signIn, signOut } from "./session";

export function SignIn({ why }: { why: string }) {
  const [token, setToken] = useState("");
  const [failed, setFailed] = useState(why);
  const submit = (event: Event) => {
    event.preventDefault();
    signIn({ token: token.trim() }).catch((error: Error) => setFailed(error.message));
  };
  return (
    <main class="door">
      <h1>{owner ? `Music for ${owner}` : "Segue"}</h1>
      <p>Recommendations, playlists and a map of your music.</p>
      <form onSubmit={submit}>
        <input type="text" autocomplete="username" value={owner} readOnly hidden />
        <label>
          Your token
          <input
            type="password"
            autocomplete="current-password"
            required
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <button class="primary">Sign in</button>
      </form>
      <p role="status">{failed}</p>
      <p class="small">
        <code>segue users add NAME</code> prints a token. Your player needs it too: enter this address as its
        ListenBrainz server.
      </p>
      <p class="small">
        <a href="/docs">API documentation</a> · <a href="/health">Health</a>
      </p>
    </main>
  );
}

export function NotYours() {
  return (
    <main class="door">
      <h1>Music for {owner}</h1>
      <p>You are signed in as {me}. Everybody sees only their own page.</p>
      <p>
        <a href={home(me.value!)}>Go to your page</a>
      </p>
      <button type="button" onClick={signOut}>Sign out</button>
    </main>
  );
}
