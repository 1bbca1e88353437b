const KEY = 'agent-forge.token';

/** The token of this browser: taken once from `#token=…`, kept, and dropped from the address bar. */
export function adoptToken(): string | null {
  const fragment = new URLSearchParams(window.location.hash.slice(1));
  const given = fragment.get('token');
  if (given) {
    localStorage.setItem(KEY, given);
    window.history.replaceState(null, '', window.location.pathname + window.location.search);
  }
  return localStorage.getItem(KEY);
}

export function storeToken(token: string): void {
  localStorage.setItem(KEY, token);
}
