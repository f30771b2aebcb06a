/** The part of workerd's sockets that is used: its own types would need a package. */
declare module "cloudflare:sockets" {
  interface Socket {
    readonly readable: { getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }> } };
    readonly writable: { getWriter(): { write(bytes: Uint8Array): Promise<void> } };
    /** Rejects when the connection cannot be opened. */
    readonly opened: Promise<unknown>;
    /** Rejects when the connection breaks. */
    readonly closed: Promise<void>;
    close(): Promise<void>;
  }
  export function connect(
    address: { hostname: string; port: number },
    options: { secureTransport: "on" | "off"; allowHalfOpen: boolean },
  ): Socket;
}
