//! The life of tasks through the operations, the rows and a node that reports.

mod lifecycle;
mod lives;
mod protection;
mod running;
