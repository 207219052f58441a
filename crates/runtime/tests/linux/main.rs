//! The OCI runtime on a real kernel: containers of busybox, started by real shims. Needs root and
//! `apt-get install busybox-static` (scripts/test-deps); without them every test says so and passes.

mod adoption;
mod host;
mod lifecycle;
mod limits;
mod program;
mod security;
