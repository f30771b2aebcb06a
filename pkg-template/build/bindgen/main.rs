//! `redlatch-bindgen INPUT OUT_DIR NAME`: what `wasm-bindgen --target web --omit-default-module-path` does. The package needs
//! nothing else of wasm-bindgen-cli, which takes several times as long to compile.

use std::error::Error;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(input), Some(folder), Some(name)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: redlatch-bindgen INPUT OUT_DIR NAME".into());
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).out_name(&name).typescript(true).omit_default_module_path(true);
    bindgen.web(true)?;
    Ok(bindgen.generate(folder)?)
}
