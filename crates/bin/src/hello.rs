//! The two programs of `examples/hello`: a web server, and a sidecar that talks to it. They live in this binary so that
//! the first run needs no registry. Threads and std only: no part of the product.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

const RETRY_AFTER: Duration = Duration::from_millis(20);

#[derive(clap::Subcommand, Debug)]
pub enum Hello {
    /// Answers every request with a greeting
    Web {
        #[arg(long, env = "PORT", default_value_t = 8080)]
        port: u16,
    },
    /// Asks the web server a few times, then rests until it is stopped
    Sidecar {
        #[arg(long, env = "WEB", default_value = "web:8080")]
        web: String,
    },
}

pub fn run(hello: Hello) -> std::io::Result<()> {
    end_on_sigterm()?;
    match hello {
        Hello::Web { port } => web(port),
        Hello::Sidecar { web } => sidecar(&web),
    }
}

/// The first process of a pid namespace gets no default signal actions: without this a stop would take its whole timeout.
fn end_on_sigterm() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut stopped = runtime.block_on(async { signal(SignalKind::terminate()) })?;
    std::thread::spawn(move || {
        runtime.block_on(stopped.recv());
        println!("stopping");
        std::process::exit(0);
    });
    Ok(())
}

fn web(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    println!("listening on port {port}");
    for (served, stream) in listener.incoming().enumerate() {
        // One caller that hangs up must not end the server.
        if let Err(error) = stream.and_then(|stream| greet(stream, served + 1)) {
            println!("a caller went away: {error}");
        }
    }
    Ok(())
}

fn greet(mut stream: TcpStream, served: usize) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = String::new();
    let mut reader = BufReader::new(&stream);
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let body = format!("Hello from Slipway, caller {served}.\n");
    println!("{}", request.trim_end());
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn sidecar(web: &str) -> std::io::Result<()> {
    let mut answers = 0;
    while answers < 3 {
        match ask(web) {
            Ok(answer) => {
                answers += 1;
                println!("{web} says: {}", answer.trim_end());
            }
            // Started is not yet listening: `dependsOn` START promises no more.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::thread::park_timeout(RETRY_AFTER),
            Err(error) => return Err(error),
        }
    }
    println!("that was all; resting until I am stopped");
    loop {
        std::thread::park();
    }
}

fn ask(web: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(web)?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {web}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}
