//! Mistakes that the simulation can switch on to prove that its oracles would notice. Compiled away outside of tests.

macro_rules! mutations {
    ($($(#[$why:meta])* $name:ident,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(not(test), allow(dead_code))]
        pub enum Mutation { $($(#[$why])* $name,)* }

        #[cfg(test)]
        impl Mutation {
            pub const ALL: [Mutation; [$(Mutation::$name),*].len()] = [$(Mutation::$name),*];
        }
    };
}

mutations! {
    /// The generation is not compared.
    OldSetObeyed,
    /// Decisions are remembered behind their effects.
    MemoryBehindEffects,
    /// A set without a task means that nothing of it is here.
    AbsentMeansGone,
    /// Something is done and said before the inventory.
    ActsBeforeInventory,
    /// Containers that were found running are started again.
    FoundIsForgotten,
    /// A start in flight is not counted.
    OwnStartNotCounted,
    DependenciesIgnored,
    StopOrderIgnored,
    /// Killed at once.
    NoStopTimeout,
    /// Never killed.
    NeverKilled,
    PhaseMayGoBack,
    /// STOPPED is said when containers have ended, whatever they still hold.
    StoppedBeforeCleanup,
    CleanupNotRepeated,
    OrphansNotStopped,
    /// What was learned is not remembered.
    FactsForgotten,
    /// An exit that comes before its start was told is lost.
    EarlyExitLost,
    /// Ports are taken while they are still held.
    PortsNotAwaited,
    /// Timeouts of dependencies wake nobody.
    TimeoutsForgotten,
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
