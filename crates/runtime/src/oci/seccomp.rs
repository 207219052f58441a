//! The default system call filter of containers, as data, and its compilation to BPF.

use crate::oci::program::Program;

#[derive(Clone, Default)]
pub struct Filters;

impl Filters {
    pub fn of(_program: &Program) -> Filters {
        Filters
    }

    pub fn load(&self) -> nix::Result<()> {
        Ok(())
    }
}
