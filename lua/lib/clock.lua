-- lib/clock: the server's time, in microseconds. It stands still while a script runs.
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
