// The documented one-liners as TypeScript sees them, for each client's own types. Compiled, not run.
import { Redis as Upstash } from "@upstash/redis";
import type { GlideClient, GlideClusterClient } from "@valkey/valkey-glide";
import type { Cluster as Cluster5, Redis as Ioredis5 } from "ioredis5";
import type { Cluster as Cluster6, Redis as Ioredis6 } from "ioredis6";
import { createClient as createClient4, createCluster as createCluster4 } from "redis4";
import { createClient as createClient5, createCluster as createCluster5 } from "redis5";
import { createClient as createClient6, createCluster as createCluster6 } from "redis6";
import { fromCommand, type Transport } from "redlatch";

declare const ioredis: Ioredis5 & Ioredis6;
declare const glide: GlideClient;
declare const ioredisCluster: Cluster5 & Cluster6;
declare const glideCluster: GlideClusterClient;
const redis4 = createClient4({ disableOfflineQueue: true });
const redis5 = createClient5({ disableOfflineQueue: true });
const redis6 = createClient6({ disableOfflineQueue: true });
const ofCluster = { rootNodes: [], defaults: { disableOfflineQueue: true } };
const cluster4 = createCluster4(ofCluster);
const cluster5 = createCluster5(ofCluster);
const cluster6 = createCluster6(ofCluster);
const upstash = new Upstash({ url: "", token: "", automaticDeserialization: false, retry: false });

export const transports: Transport[] = [
  fromCommand(([name, ...args]) => (ioredis as Ioredis5).call(name, ...args)),
  fromCommand(([name, ...args]) => (ioredis as Ioredis6).call(name, ...args)),
  fromCommand((args) => redis4.sendCommand(args)),
  fromCommand((args) => redis5.sendCommand(args)),
  fromCommand((args) => redis6.sendCommand(args)),
  fromCommand((args) => glide.customCommand(args)),
  fromCommand(([name, ...args]) => (ioredisCluster as Cluster5).call(name, ...args)),
  fromCommand(([name, ...args]) => (ioredisCluster as Cluster6).call(name, ...args)),
  fromCommand((args) => cluster4.sendCommand(args[3], false, args)),
  fromCommand((args) => cluster5.sendCommand(args[3], false, args)),
  fromCommand((args) => cluster6.sendCommand(args[3], false, args)),
  fromCommand((args) => glideCluster.customCommand(args)),
  fromCommand((args) => upstash.exec(args)),
  // A parameter of the true type compiles, and so does a cast.
  fromCommand((args: (string | Uint8Array)[]) => Promise.resolve(args)),
  fromCommand((args) => redis6.sendCommand(args as string[])),
];
