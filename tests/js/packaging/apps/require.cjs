const redlatch = require("redlatch");
const { lockOnce } = require("./locker.js");

lockOnce(redlatch, process.argv.at(-1)).then((result) => console.log(JSON.stringify(result)));
