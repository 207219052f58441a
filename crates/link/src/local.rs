//! The transport inside one process: two mailboxes. Sending never blocks and works from any thread; receiving is awaited, or
//! tried from a thread that is no part of tokio.

use crate::mailbox::{Mailbox, Supersedes};
use crate::{ToNode, ToPlane};

pub type PlaneEnd = End<ToNode, ToPlane>;
pub type NodeEnd = End<ToPlane, ToNode>;

/// One side of a link: sends `Out`, receives `In`. Dropping it ends the link for the other side.
pub struct End<Out: Supersedes, In: Supersedes> {
    sender: Sender<Out>,
    inbox: Mailbox<In>,
}

/// Cheap to clone, usable from any thread.
pub struct Sender<Out: Supersedes>(Mailbox<Out>);

pub fn local() -> (PlaneEnd, NodeEnd) {
    let (to_node, to_plane) = (Mailbox::new(), Mailbox::new());
    let plane = End { sender: Sender(to_node.clone()), inbox: to_plane.clone() };
    (plane, End { sender: Sender(to_plane), inbox: to_node })
}

impl<Out: Supersedes> Clone for Sender<Out> {
    fn clone(&self) -> Sender<Out> {
        Sender(self.0.clone())
    }
}

impl<Out: Supersedes> Sender<Out> {
    pub fn send(&self, message: Out) {
        self.0.put(message);
    }
}

impl<Out: Supersedes, In: Supersedes> End<Out, In> {
    pub fn sender(&self) -> Sender<Out> {
        self.sender.clone()
    }

    pub fn send(&self, message: Out) {
        self.sender.send(message);
    }

    /// `None` once the other end is gone. Cancel-safe.
    pub async fn recv(&self) -> Option<In> {
        self.inbox.take().await
    }

    pub fn try_recv(&self) -> Option<In> {
        self.inbox.try_take()
    }
}

impl<Out: Supersedes, In: Supersedes> Drop for End<Out, In> {
    fn drop(&mut self) {
        self.sender.0.close();
        self.inbox.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use workload::{Assign, NodeFacts, Report};

    fn assign(generation: u64) -> ToNode {
        ToNode::Assign(Assign { generation, tasks: vec![] })
    }

    fn report(seen: u64) -> ToPlane {
        ToPlane::Report(Report { seen, tasks: vec![] })
    }

    fn all<Out: Supersedes, In: Supersedes>(end: &End<Out, In>) -> Vec<In> {
        std::iter::from_fn(|| end.try_recv()).collect()
    }

    #[test]
    fn only_the_newest_of_a_kind_waits() {
        let (plane, node) = local();
        let hello = ToPlane::Hello(NodeFacts::default());
        for message in [report(1), hello.clone(), report(2), report(3)] {
            node.send(message);
        }
        assert_eq!(all(&plane), [hello, report(3)]);
        for generation in [5, 7, 6] {
            plane.send(assign(generation));
        }
        assert_eq!(all(&node), [assign(7), assign(6)], "an older set is the node's to refuse, not the link's");
    }

    #[tokio::test]
    async fn a_thread_without_tokio_wakes_the_node() {
        let (plane, node) = local();
        let sender = plane.sender();
        let thread = std::thread::spawn(move || sender.send(assign(1)));
        assert_eq!(node.recv().await, Some(assign(1)));
        thread.join().unwrap();
        drop(plane);
        assert_eq!(node.recv().await, None);
    }

    #[tokio::test]
    async fn what_was_sent_before_the_end_still_arrives() {
        let (plane, node) = local();
        node.send(report(1));
        drop(node);
        assert_eq!((plane.recv().await, plane.recv().await), (Some(report(1)), None));
    }
}
