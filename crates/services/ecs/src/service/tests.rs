//! Decisions as data: what a service wants, what it has, and what is done about it.

mod actions;
mod api;
mod capacity;
mod deciding;
mod ending;
mod examples;
mod homeless;
mod leaving;
mod pinning;
mod reach;
mod scheduling;
mod unhealthy;
mod waiting;
