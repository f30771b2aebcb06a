const { createClient } = require("redlatch");

exports.locks = createClient(process.env.A_VARIABLE_THAT_NOBODY_HAS_SET);
