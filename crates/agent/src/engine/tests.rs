//! Decisions as data: a task in a few words, what happens to it, and what the engine wants done at each step.

mod health;
mod ports;
mod recovery;
mod script;
mod simulation;
mod start;
mod stop;
mod world;
