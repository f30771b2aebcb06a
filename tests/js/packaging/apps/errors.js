// Knows the errors only, as a program would that gets them from another part of itself.
import { LockError, LockTimeoutError } from "redlatch";

console.log(new LockTimeoutError("late", 3) instanceof LockError, new Error("other") instanceof LockError);
