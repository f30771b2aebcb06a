/** The part of Deno that is used. */
declare namespace Deno {
  function refTimer(timer: number): void;
  function unrefTimer(timer: number): void;
}
