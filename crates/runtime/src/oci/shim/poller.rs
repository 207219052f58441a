//! One round of poll(2): who waits for what, and who is ready.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::BorrowedFd;
use std::time::Instant;

pub struct Poller<'a, Source> {
    fds: Vec<PollFd<'a>>,
    sources: Vec<Source>,
}

pub struct Ready<Source> {
    pub source: Source,
    pub readable: bool,
    pub writable: bool,
}

impl<'a, Source: Copy> Poller<'a, Source> {
    pub fn new() -> Poller<'a, Source> {
        Poller { fds: Vec::new(), sources: Vec::new() }
    }

    pub fn read(&mut self, fd: BorrowedFd<'a>, source: Source) {
        self.add(fd, PollFlags::POLLIN, source);
    }

    pub fn read_and_maybe_write(&mut self, fd: BorrowedFd<'a>, write: bool, source: Source) {
        let flags = if write { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
        self.add(fd, flags, source);
    }

    fn add(&mut self, fd: BorrowedFd<'a>, flags: PollFlags, source: Source) {
        self.fds.push(PollFd::new(fd, flags));
        self.sources.push(source);
    }

    /// Hang-ups and errors count as readable: the read tells what it is.
    pub fn wait(mut self, deadline: Option<Instant>) -> Vec<Ready<Source>> {
        match poll(&mut self.fds, timeout(deadline)) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Vec::new(),
            Err(errno) => panic!("poll of descriptors we own cannot fail: {errno}"),
        }
        let ready = |(fd, source): (&PollFd<'_>, Source)| {
            let events = fd.revents().unwrap_or(PollFlags::empty());
            let readable = events.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR);
            (!events.is_empty()).then_some(Ready { source, readable, writable: events.contains(PollFlags::POLLOUT) })
        };
        self.fds.iter().zip(self.sources).filter_map(ready).collect()
    }
}

/// Rounded up, so that a deadline has passed when poll returns for it.
fn timeout(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else { return PollTimeout::NONE };
    let left_ms = deadline.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
    PollTimeout::try_from(left_ms.min(i32::MAX as u128) as i32).unwrap_or(PollTimeout::MAX)
}
