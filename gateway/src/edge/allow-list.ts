/** Names that the gateway answers to, and pages that may call it. */

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

export type AllowList = {
  /** Whether a `Host` header, port included, names this server. */
  host(header: string | undefined): boolean;
  /** Whether a page of this origin may call; a request without `Origin` comes from no page of another site. */
  origin(header: string | undefined, host: string | undefined): boolean;
};

export type AllowSettings = {
  host: string;
  publicUrl: string | undefined;
  allowedHosts: readonly string[];
  allowedOrigins: readonly string[];
};

export function allowList({ host, publicUrl, allowedHosts, allowedOrigins }: AllowSettings): AllowList {
  const names = new Set([...LOOPBACK, host.toLowerCase(), ...allowedHosts]);
  const origins = new Set(allowedOrigins);
  if (publicUrl) {
    names.add(new URL(publicUrl).hostname);
    origins.add(new URL(publicUrl).origin);
  }
  const allowsHost = (header: string | undefined) => {
    const match = /^(\[[0-9a-f:.]+\]|[^:[\]/@?#\s]+)(:\d{1,5})?$/i.exec(header ?? '');
    return match?.[1] !== undefined && names.has(match[1].toLowerCase());
  };
  return {
    host: allowsHost,
    origin: (header, requestHost) =>
      header === undefined ||
      origins.has(header.toLowerCase()) ||
      // The gateway's own pages: the host has been checked before.
      (allowsHost(requestHost) &&
        [`http://${requestHost}`, `https://${requestHost}`].includes(header.toLowerCase())),
  };
}
