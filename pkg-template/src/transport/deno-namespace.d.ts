/** The part of Deno that is used. */
declare namespace Deno {
  interface Conn {
    /** Resolves to the number of bytes written, which may be fewer than given. */
    write(bytes: Uint8Array): Promise<number>;
    /** Resolves to the number of bytes read into `buffer`, or null at the end. */
    read(buffer: Uint8Array): Promise<number | null>;
    close(): void;
    ref(): void;
    unref(): void;
  }
  interface TcpConn extends Conn {
    setNoDelay(on: boolean): void;
    setKeepAlive(on: boolean): void;
  }
  function refTimer(timer: number): void;
  function unrefTimer(timer: number): void;
  function connect(options: { hostname: string; port: number; signal: AbortSignal }): Promise<TcpConn>;
  function connect(options: { transport: "unix"; path: string }): Promise<Conn>;
}
