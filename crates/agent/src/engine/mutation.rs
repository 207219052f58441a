//! Mistakes that the simulation can switch on to prove that its oracles would notice. Compiled away outside of tests.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code))]
pub enum Mutation {
    OldSetObeyed,
}

#[cfg(not(test))]
pub fn mutated(_: Mutation) -> bool {
    false
}

#[cfg(test)]
pub use switch::*;

#[cfg(test)]
mod switch {
    use super::Mutation;
    use std::cell::Cell;

    thread_local! {
        static ON: Cell<Option<Mutation>> = const { Cell::new(None) };
    }

    pub fn mutated(mutation: Mutation) -> bool {
        ON.get() == Some(mutation)
    }

    /// For this thread, while `run` runs.
    pub fn with<T>(mutation: Option<Mutation>, run: impl FnOnce() -> T) -> T {
        ON.set(mutation);
        let result = run();
        ON.set(None);
        result
    }
}
