//! The store from outside: what goes in as archives or over HTTP, and what lies there afterwards.
//! Needs root, since layers have owners and devices; `support::need_root` says so.

mod crash;
mod gc;
mod layers;
mod load;
mod overlay;
mod pull;
mod support;
