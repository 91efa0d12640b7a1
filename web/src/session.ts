// Who is signed in, and whose page this is.
import { computed, signal } from "@preact/signals";
import { get, onEnd, post, segment } from "./api";

/** The user whose page this is; empty on the front page. */
export const owner = decodeURIComponent(location.pathname.match(/^\/u\/([^/]+)/)?.[1] ?? "");

/** The user who is signed in, or null; undefined until that is known. */
export const me = signal<string | null | undefined>(undefined);

onEnd(() => (me.value = null)); // the token was replaced, or the session was ended elsewhere

export const isOwner = computed(() => !!me.value && me.value.toLowerCase() === owner.toLowerCase());

export const home = (user: string) => `/u/${segment(user)}`;

/** The address of something of the owner's in Segue's part of the API, or in ListenBrainz's. */
export const mine = (path: string) => `/v1/users/${segment(owner)}/${path}`;
export const statistics = (path: string) => `/1/stats/user/${segment(owner)}/${path}`;

export async function lookUp(): Promise<void> {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) {
    history.replaceState(null, "", location.pathname); // the part after # is sent to no server, so it is in no log
    await signIn({ code });
  } else {
    me.value = (await get<{ user_name: string | null }>("/v1/sign-in"))?.user_name ?? null;
  }
}

export async function signIn(presented: { token: string } | { code: string }): Promise<void> {
  const { user_name, refused } = (await post<{ user_name: string | null; refused?: string }>("/v1/sign-in", presented))!;
  if (user_name === null) throw new Error(refused);
  me.value = user_name;
}

export async function signOut(): Promise<void> {
  await post("/v1/sign-out", {});
  location.href = location.pathname;
}
