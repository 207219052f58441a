//! `slipway up`: serves until it is told to stop. Containers go on running; the next `up` adopts them.

use crate::compose::Server;
use crate::config::Config;
use tokio::signal::unix::{SignalKind, signal};

pub async fn run(config: Config) -> anyhow::Result<()> {
    let mut running = Server::start(config).await?;
    announce(&running.server);
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        () = running.failed() => anyhow::bail!("the agent failed; its containers go on, start the server again"),
    }
    running.stop().await;
    Ok(())
}

fn announce(server: &Server) {
    let config = &server.config;
    let address = server.address;
    println!("slipway {} is ready on http://{address}", env!("CARGO_PKG_VERSION"));
    println!("account {}, region {}, data in {}", config.account, config.region, config.data_dir.display());
    if config.accepts_test_keys() {
        println!("accepting the well-known test keys (test/test), because nobody else can reach this address");
    }
    let flag = if address.port() == 4566 { String::new() } else { format!(" --listen {address}") };
    println!("point a client at it:  eval \"$(slipway env{flag})\"");
}
