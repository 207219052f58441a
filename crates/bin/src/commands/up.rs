//! `slipway up`: serves until it is told to stop. Containers go on running; the next `up` adopts them.

use super::interrupts::Interrupts;
use super::say;
use crate::compose::Server;
use crate::config::Config;

pub async fn run(config: Config) -> anyhow::Result<()> {
    let mut interrupts = Interrupts::listen()?;
    let mut running = Server::start(config).await?;
    announce(&running.server);
    tokio::select! {
        () = interrupts.next() => {}
        () = running.failed() => anyhow::bail!("the agent failed; its containers go on, start the server again"),
    }
    running.stop().await;
    Ok(())
}

fn announce(server: &Server) {
    let config = &server.config;
    let address = server.address;
    say(format_args!("slipway {} is ready on http://{address}", env!("CARGO_PKG_VERSION")));
    say(format_args!("account {}, region {}, data in {}", config.account, config.region, config.data_dir.display()));
    if config.accepts_test_keys() {
        say("accepting the well-known test keys (test/test), because nobody else can reach this address");
    }
    if server.nodes.all().len() > 1 {
        let nodes = server.nodes.all().iter().map(|node| format!("{} in {}", node.place.name, node.place.zone));
        say(format_args!("{}", nodes.collect::<Vec<_>>().join(", ")));
    }
    let flag = if address.port() == 4566 { String::new() } else { format!(" --listen {address}") };
    say(format_args!("point a client at it:  eval \"$(slipway env{flag})\""));
}
