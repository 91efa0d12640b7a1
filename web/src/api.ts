// Requests to Segue's API. The cookie of the session goes with each of them.

/** A refusal of the API. The message is a sentence for the listener. */
export class Refused extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

type Values = Record<string, string | number | boolean | readonly string[] | undefined>;

export function address(path: string, values: Values = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) query.append(name, String(each));
  }
  return query.size ? `${path}?${query}` : path;
}

/** Read JSON. The result is null if there is nothing (204). */
export async function get<T>(path: string, values: Values = {}): Promise<T | null> {
  const answer = await ask(address(path, values));
  return answer.status === 204 ? null : ((await answer.json()) as T);
}

export async function post<T>(path: string, body: unknown): Promise<T | null> {
  const headers = { "Content-Type": "application/json" };
  const answer = await ask(path, { method: "POST", headers, body: JSON.stringify(body) });
  return answer.status === 204 ? null : ((await answer.json()) as T);
}

let ended = (): void => undefined;

/** Call a function when an answer says that nobody is signed in. */
export function onEnd(act: () => void): void {
  ended = act;
}

export async function ask(path: string, options: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused(0, "Segue does not answer. Is it running?");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) ended();
  const said = (await answer.json().catch(() => null)) as { error?: string } | null;
  throw new Refused(answer.status, said?.error ?? `Segue answered with the status ${answer.status}.`);
}

export const segment = encodeURIComponent;
