//! The shim and the init process alone, for this crate's tests: what `slipway shim …` and `slipway init …` are.

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let code = match args.split_first() {
        Some((command, rest)) if command == "shim" => runtime::oci::shim::main(rest),
        Some((command, rest)) if command == "init" => runtime::oci::init::main(rest),
        _ => {
            eprintln!("usage: runtime-shim shim|init …");
            2
        }
    };
    std::process::exit(code);
}
