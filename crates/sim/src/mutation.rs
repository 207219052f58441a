//! Faults put into the system on purpose, to show that the oracles notice. A seed that survives a mutation proves nothing;
//! a mutation that every seed survives proves an oracle blind.

use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A node's disk loses which generation it obeyed.
    GenerationForgotten,
    /// A node's disk loses its tasks: what it decided is decided again.
    MemoryForgotten,
    /// The inventory after an agent's crash says that nothing runs.
    BlindInventory,
    /// A node's report leaves out one task that it has.
    FalseAbsence,
    /// A node's exits are never told.
    ExitsLost,
    /// The plane's disk acknowledges a commit and loses it in the next crash.
    CommitLost,
    /// Closing a sandbox leaves its containers alive.
    LeakyClose,
    /// The plane is told of twice the memory that the node has.
    BoastfulNode,
    /// Time stands still for the plane: what it waits for never comes.
    NoWakes,
}

impl Mutation {
    pub const ALL: [Mutation; 9] = [
        Mutation::GenerationForgotten,
        Mutation::MemoryForgotten,
        Mutation::BlindInventory,
        Mutation::FalseAbsence,
        Mutation::ExitsLost,
        Mutation::CommitLost,
        Mutation::LeakyClose,
        Mutation::BoastfulNode,
        Mutation::NoWakes,
    ];
}

impl FromStr for Mutation {
    type Err = String;
    fn from_str(text: &str) -> Result<Mutation, String> {
        let all = Mutation::ALL.iter().copied();
        all.clone().find(|m| format!("{m:?}") == text).ok_or_else(|| format!("no mutation {text}; there are {:?}", Mutation::ALL))
    }
}
