/**
 * The public types of connections to servers.
 */

/** How a client reaches its servers: a pluggable socket, bytes in, bytes out. */
export interface Transport {
  /**
   * How bytes reach the server. `"stream"`, the default: a byte stream of the client's own, on which the client logs in and
   * receives messages, and on which commands run in the order of sending. `"commands"`: single commands over another client
   * or over HTTP, which may overtake each other; waiters poll then.
   */
  readonly carrier?: "stream" | "commands";
  /**
   * With `carrier: "commands"`: whether commands are independent and may go to different servers, so that a timeout or failure
   * affects one command only. Then replies come in any order, as the pushes `answer, nonce, reply` and
   * `unanswered, nonce, reason` of RESP3; the nonce is the first argument after the keys of the command's script. By default
   * false: replies come in the order of sending, and the connection ends when one does not come.
   */
  readonly independent?: boolean;
  /** Whether a password may be sent over it, to that address. By default only with TLS, or to this machine. */
  readonly secure?: boolean | ((address: Address) => boolean);
  /**
   * Whether it sends credentials of its own, such as a token in a URL. Like a password, these are refused where the transport
   * is not `secure`. By default true if `carrier` is `"commands"`.
   */
  readonly credentials?: boolean | ((address: Address) => boolean);
  /** The server's name in errors when no URL is given. Only for a transport that leads to one server, whatever the address. */
  readonly name?: string;
  /**
   * A message, if something that the transport needs is missing, such as the environment variable with its URL. createClient
   * accepts such a transport, and every call that needs the server rejects with a TypeError with this message.
   */
  readonly missing?: string;
  /** Returns the reason if it cannot serve an address as given: createClient then throws a TypeError with that message. */
  refuses?(address: Address): string | undefined;
  /**
   * Opens a connection; the promise resolves when bytes can be written, and rejects when that fails. When `signal` aborts,
   * the connection is no longer wanted and must be dropped. After `handler.close` was called, the client ignores all other calls.
   */
  connect(
    address: Address,
    handler: { data(chunk: Uint8Array): void; close(error?: unknown): void },
    signal: AbortSignal,
  ): Promise<Connection>;
}

/** An open connection. */
export interface Connection {
  /** Queues bytes for sending. The client does not change them afterwards. */
  write(bytes: Uint8Array): void;
  /** Drops the connection at once. */
  close(): void;
  /** From now on the connection keeps the process alive, as a new connection does. Optional; give it together with `unref`. */
  ref?(): void;
  /** From now on the connection does not keep the process alive, because the application waits for nothing from it. */
  unref?(): void;
}

/** The address of a server, without credentials. */
export interface Address {
  /** Host name or IP address (IPv6 without brackets); `""` for a unix socket. */
  readonly host: string;
  /** 1 to 65535; 0 for a unix socket. */
  readonly port: number;
  /** Whether to use TLS and verify the server's certificate. */
  readonly tls: boolean;
  /** How to verify the server, and the client's certificate; an empty object for the defaults. */
  readonly tlsOptions: TlsOptions;
  /** The path of the unix socket, or `null`. */
  readonly path: string | null;
}

/**
 * How the server and the client prove their identities. The server's certificate is always verified, against the runtime's
 * own authorities and the URL's host unless set otherwise here. Certificates and keys are strings in PEM.
 */
export interface TlsOptions {
  /** The certificate authorities to trust instead of the runtime's own. */
  ca?: string | readonly string[] | undefined;
  /** The client's certificate, if the server requires one; together with `key`. */
  cert?: string | undefined;
  /** The private key of `cert`, without a passphrase. */
  key?: string | undefined;
  /** The name in the server's certificate, if it is not the URL's host. */
  servername?: string | undefined;
}
