// What the package connects to, and what it writes there.
import { nodeTransport } from "../../../pkg/dist/transport/node.js";

/** A transport that notes where it connects to, and what it writes there. */
export function recorder() {
  const dials = [];
  const transport = {
    async connect(address, handler, signal) {
      const dial = { host: address.host, port: address.port, written: "" };
      dials.push(dial);
      const connection = await nodeTransport.connect(address, handler, signal);
      const write = (bytes) => {
        dial.written += Buffer.from(bytes).toString("latin1");
        connection.write(bytes);
      };
      return { ...connection, write };
    },
  };
  return { dials, transport };
}
