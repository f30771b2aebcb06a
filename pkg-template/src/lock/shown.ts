type Inspect = (value: unknown, options?: unknown) => string;

/** The methods that Node.js and Bun, and Deno, call to show an object. */
const NODE = Symbol.for("nodejs.util.inspect.custom");
const DENO = Symbol.for("Deno.customInspect");

/** Makes `console.log` show the instances of a class by a name and their state, which must contain no secret. */
export function showAs<T>(
  type: { readonly prototype: T },
  name: string,
  stateOf: (object: T) => object,
): void {
  const show = (object: T, options: unknown, inspect: Inspect) =>
    `${name} ${inspect(stateOf(object), options)}`;
  const define = (symbol: symbol, value: unknown) =>
    Object.defineProperty(type.prototype, symbol, { value, configurable: true, writable: true });
  define(NODE, function (this: T, _depth: unknown, options: unknown, inspect: Inspect) {
    return show(this, options, inspect);
  });
  define(DENO, function (this: T, inspect: Inspect, options: unknown) {
    return show(this, options, inspect);
  });
}
