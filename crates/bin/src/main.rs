//! `slipway`: Amazon ECS on your own machines. The command line; everything else is behind it.

mod client;
mod cloudwatch;
mod commands;
mod compose;
mod config;
mod events;
mod hello;
mod http;
mod images;
mod keys;
mod logs;
mod metadata;
mod nodes;
mod references;
mod s3;
mod services;
mod sessions;

use clap::{Parser, Subcommand};
use commands::events::Which;
use commands::explain::What;
use commands::image::Image;
use commands::node::Node;
use commands::output::Output;
use config::{Config, Flags};
use nodes::Fleet;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "slipway", version, about = "Amazon ECS on your own machines")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Command {
    /// Serves every API and runs what it is given, on this host
    Up {
        /// Makes so many nodes of this host, each with its own containers, addresses and ledger: `3`, or
        /// `3,zones=a+b+c,cpu=1024,memory=2048` for what each has to give (CPU units, MiB); with `group=NAME` they are machines
        /// of that Auto Scaling group. May be given more than once, for fleets beside each other
        #[arg(long, env = "SLIPWAY_NODES", value_name = "N[,…]", value_delimiter = nodes::fleet::SEPARATOR)]
        nodes: Vec<Fleet>,
    },
    /// Runs a task definition as one task and shows its life until it ends
    Run {
        /// As for `aws ecs register-task-definition --cli-input-json`
        file: PathBuf,
        #[arg(long, default_value = "default")]
        cluster: String,
    },
    /// Prints the variables that point AWS clients at the server: eval "$(slipway env)"
    Env,
    /// Brings images to this host
    Image {
        #[command(subcommand)]
        image: Image,
    },
    /// Shows what a task's containers wrote
    Logs {
        /// The task's id, one end of it, or its ARN
        task: String,
        /// Goes on until the task is stopped
        #[arg(long, short)]
        follow: bool,
        /// Only these containers
        #[arg(long, short)]
        container: Vec<String>,
    },
    /// The nodes there are, and what may happen to them
    Node {
        #[command(subcommand)]
        node: Node,
    },
    /// Lists tasks, over all clusters
    Ps {
        /// Also those that are stopped
        #[arg(long, short)]
        all: bool,
        #[arg(long)]
        cluster: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Shows a task and its history: every change of its state with its time and cause; or a service
    Describe {
        /// A task's id, one end of it, or its ARN; a service's name or ARN
        name: String,
        /// Of the service, where several clusters have one of the name
        #[arg(long)]
        cluster: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Says which nodes could take a task, and what keeps it from the others; or what a service waits for
    Explain {
        #[command(flatten)]
        what: What,
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Shows what happens to tasks, container instances, services and deployments
    Events {
        #[command(flatten)]
        which: Which,
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Shows what containers use, once a second
    Stats {
        /// Only this task: its id, one end of it, or its ARN
        task: Option<String>,
        /// One table, and no more
        #[arg(long)]
        no_stream: bool,
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    #[command(subcommand, hide = true)]
    Hello(hello::Hello),
}

fn main() -> ExitCode {
    // A shim must never have had a second thread: it is told apart before anything else runs.
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("shim") => return exit(runtime::oci::shim::main(&arguments[2..])),
        Some("init") => return exit(runtime::oci::init::main(&arguments[2..])),
        Some(agent::mount::ARGUMENT) => return exit(agent::mount::main(&arguments[2..])),
        _ => {}
    }
    runtime::memory::share_heaps();
    match run(Cli::parse()) {
        Ok(code) => exit(code),
        Err(error) => {
            eprintln!("slipway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn exit(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn run(cli: Cli) -> anyhow::Result<i32> {
    if let Command::Hello(hello) = cli.command {
        return Ok(hello::run(hello).map(|()| 0)?);
    }
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(workers()).build()?;
    let code = runtime.block_on(command(cli.command, &cli.flags));
    // Reads that block (standard input) must not keep a finished command.
    runtime.shutdown_background();
    code
}

async fn command(command: Command, flags: &Flags) -> anyhow::Result<i32> {
    match command {
        Command::Up { nodes } => {
            let config = Config::load(flags)?;
            let nodes = if nodes.is_empty() { config.nodes.clone() } else { nodes };
            commands::up::run(Config { nodes, ..config }).await?;
        }
        Command::Node { node } => commands::node::run(&client(flags)?, node).await?,
        Command::Run { file, cluster } => return commands::run::run(Config::load(flags)?, &file, &cluster).await,
        Command::Env => commands::env::run(&Config::load(flags)?),
        Command::Image { image } => commands::image::run(&client(flags)?, image).await?,
        Command::Logs { task, follow, container } => {
            commands::logs::run(&client(flags)?, &task, follow, &container).await?;
        }
        Command::Ps { all, cluster, output } => {
            commands::ps::run(&client(flags)?, all, cluster.as_deref(), output).await?;
        }
        Command::Describe { name, cluster, output } => {
            commands::describe::run(&client(flags)?, &name, cluster.as_deref(), output).await?;
        }
        Command::Events { which, output } => commands::events::run(&client(flags)?, &which, output).await?,
        Command::Explain { what, output } => return commands::explain::run(&client(flags)?, &what, output).await,
        Command::Stats { task, no_stream, output } => {
            commands::stats::run(&client(flags)?, task.as_deref(), no_stream, output).await?;
        }
        Command::Hello(_) => unreachable!("taken before the runtime starts"),
    }
    Ok(0)
}

fn client(flags: &Flags) -> anyhow::Result<client::Client> {
    let config = Config::load(flags)?;
    Ok(client::Client::new(format!("http://{}", config.listen), config.region))
}

/// Shells wait more than they work: a few threads serve any host.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4))
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SLIPWAY_LOG").unwrap_or_else(|_| "warn".into());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A log that cannot be written (its disk is full) is said by a panic otherwise, of whatever thread had something to log.
    lines.log_internal_errors(false).init();
}
