// An application in NestJS, whose module of locks closes its client in a shutdown hook.
import "reflect-metadata";
import {
  ConflictException,
  Controller,
  Inject,
  Module,
  type OnApplicationShutdown,
  Param,
  Post,
  Query,
} from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { createClient, type LockClient, LockTimeoutError } from "redlatch";

const LOCKS = Symbol("LOCKS");

@Module({
  providers: [
    { provide: LOCKS, useFactory: () => createClient({ url: process.env.REDIS_URL as string, ttl: 2_000 }) },
  ],
  exports: [LOCKS],
})
class LocksModule implements OnApplicationShutdown {
  constructor(@Inject(LOCKS) readonly locks: LockClient) {}

  async onApplicationShutdown(signal?: string): Promise<void> {
    console.log(`closing on ${signal}`);
    await this.locks.close();
  }
}

let inside = 0;
let overlaps = 0;

@Controller("invoices")
class Invoices {
  constructor(@Inject(LOCKS) readonly locks: LockClient) {}

  @Post(":id/payment")
  async pay(@Param("id") id: string, @Query("takes") takes: string, @Query("wait") wait: string): Promise<object> {
    try {
      return await this.locks.using(`invoice:${id}`, { wait: Number(wait) }, async ({ fence }) => {
        inside += 1;
        if (inside > 1) overlaps += 1;
        await new Promise((resolve) => setTimeout(resolve, Number(takes)));
        inside -= 1;
        return { fence: String(fence), overlaps };
      });
    } catch (error) {
      if (error instanceof LockTimeoutError) throw new ConflictException(error.code);
      throw error;
    }
  }
}

@Module({ imports: [LocksModule], controllers: [Invoices] })
class App {}

const app = await NestFactory.create(App, { logger: ["error", "warn"] });
app.enableShutdownHooks();
await app.listen(0, "127.0.0.1");
console.log(await app.getUrl());
