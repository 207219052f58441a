//! Faults put into the system on purpose, at its seams, to show that the oracles notice. A seed that survives a mutation
//! proves nothing; a mutation that every seed survives proves an oracle blind.

use std::str::FromStr;

macro_rules! mutations {
    ($($(#[$what:meta])* $name:ident,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutation { $($(#[$what])* $name,)* }

        impl Mutation {
            pub const ALL: [Mutation; [$(Mutation::$name),*].len()] = [$(Mutation::$name),*];
        }
    };
}

mutations! {
    // -- a node
    /// Its disk loses which generation it obeyed.
    GenerationForgotten,
    /// Its disk loses its tasks: what it decided is decided again.
    TasksForgotten,
    /// What died with its host is not remembered as dead.
    BuriedForgotten,
    /// It says that something is on disk before it is.
    MemoryBehind,
    /// The inventory after a crash says that nothing runs.
    BlindInventory,
    /// A container whose start was under way when the agent crashed is in no inventory, and comes up all the same.
    StartsInventoriedEarly,
    ExitsUntold,
    KillsLost,
    /// Nobody wakes the engine when its time has come.
    NodeSleeps,
    /// Closing a sandbox leaves its containers alive.
    LeakyClose,
    /// Detaching does nothing.
    LeakyDetach,
    /// It pulls what the tag means, whatever digest it is told.
    DigestsIgnored,
    // -- what nodes say
    /// A report leaves out one task that the node has.
    FalseAbsence,
    /// A task is STOPPED as soon as it is STOPPING: what it holds is given to others too early.
    StoppedTooSoon,
    ExitCodesMixed,
    OutOfMemoryUntold,
    // -- what nodes hear
    SetsLost,
    NothingSentOnRejoin,
    // -- the plane's disk
    /// It acknowledges a commit and loses it in the next crash.
    CommitLost,
    /// It keeps the first half of a commit's rows.
    CommitTorn,
    // -- the plane
    /// Time stands still for it: what it waits for never comes.
    NoWakes,
    TokensIgnored,
    /// StopTask is answered and not done.
    StopsForgotten,
    /// DRAINING is answered and not done.
    DrainsForgotten,
    /// A node's hello says twice the memory that it has.
    BoastfulNode,
    // -- the service scheduler: what it sees
    FloorIgnored,
    /// Tasks that are stopping are no tasks.
    StoppingNotCounted,
    DaemonTwice,
    ProtectionIgnored,
    ThrottleOff,
    /// What runs is healthy.
    HealthyAtOnce,
    /// One healthy task is enough for a deployment to succeed early.
    EarlyTooSoon,
    /// A deployment may succeed early with tasks of another one left, whatever is said of them.
    CleanupDeferred,
    // -- what it says
    /// A FAILED deployment starts tasks.
    FailedGoesOn,
    /// It rolls back to what never worked.
    RollbackAnywhere,
    /// An old deployment is forgotten with its tasks.
    ForgetsEarly,
    /// Lost tasks of older deployments are not brought back.
    OlderAbandoned,
    /// It pins a deployment to images that nobody has run.
    PinsAnything,
    /// It pins what is not to be pinned.
    PinsTheLoose,
    // -- what it writes
    /// Tasks of one capacity provider are said to be another's.
    ProvidersSwapped,
    /// Tasks change their capacity provider when one turns healthy.
    ProvidersDrift,
    /// Tasks on Fargate are said to run on instances.
    LaunchTypesMixed,
    /// After a rollback the service is still to run where it failed.
    StrategyKept,
    /// What a service says, it says twice.
    SaidTwice,
    /// What it says replaces what it said.
    SaidInstead,
    /// That it is steady, it does not say.
    SteadyUnsaid,
    /// Tasks that are started know of no pin.
    PinsForgotten,
    /// That an end was counted.
    CountsForgotten,
    /// The old deployment is the PRIMARY one again, and what the service asks for stays new.
    RolledBackInName,
    EventLost,
    EventTwice,
}

impl FromStr for Mutation {
    type Err = String;
    fn from_str(text: &str) -> Result<Mutation, String> {
        let mut all = Mutation::ALL.iter().copied();
        all.find(|m| format!("{m:?}") == text).ok_or_else(|| format!("no mutation {text}; there are {:?}", Mutation::ALL))
    }
}
