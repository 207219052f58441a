//! libcontainer's last step, done our way: everything about the program itself is `launch`'s. What goes wrong travels
//! back through a close-on-exec pipe, whose silent end is the sign of success.

use crate::oci::launch::{self, launch};
use crate::oci::program::Program;
use crate::oci::seccomp::Filters;
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};
use oci_spec::runtime::Spec;
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;

#[derive(Clone)]
pub struct Launcher {
    program: Rc<Program>,
    filters: Filters,
    failure: RawFd,
}

impl Launcher {
    /// `failure` must stay open in the caller until the container was started.
    pub fn new(program: Program, failure: &OwnedFd) -> Launcher {
        Launcher { filters: Filters::of(&program), program: Rc::new(program), failure: failure.as_raw_fd() }
    }
}

impl Executor for Launcher {
    fn exec(&self, _: &Spec) -> Result<(), ExecutorError> {
        end(launch(&self.program, &self.filters), self.failure)
    }

    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }

    /// `launch` hands the environment to execve itself.
    #[allow(clippy::disallowed_types)] // libcontainer's signature
    fn setup_envs(&self, _: std::collections::HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }
}

/// A program the kernel refuses has been started as far as Docker is concerned: the complaint goes to its own output.
#[allow(unsafe_code)]
pub fn end(error: launch::Error, failure: RawFd) -> ! {
    const REFUSED: i32 = 255;
    const NOT_FOUND: i32 = 127;
    let code = match &error {
        launch::Error::Execve(..) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            REFUSED
        }
        _ => {
            // SAFETY: the starter keeps this descriptor open in our copy of its table.
            let _ = nix::unistd::write(unsafe { BorrowedFd::borrow_raw(failure) }, error.to_string().as_bytes());
            NOT_FOUND
        }
    };
    // SAFETY: ends the process; nothing of the forked memory is worth a destructor.
    unsafe { libc::_exit(code) }
}
