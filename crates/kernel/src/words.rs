//! What nodes say, until a commit has kept it. A node says what is so once, when it becomes so: a full disk must not make the
//! plane forget it. Each word replaces the older ones of its kind, and a node's end all before it: what waits here is never
//! more than three a node.

use crate::{Call, Workloads};
use store::Tx;
use workload::{NodeFacts, NodeId, Report};

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // no more than three a node wait
pub enum Word {
    Joined(NodeFacts),
    Left,
    /// Not said by the node, which is dead, but by who knows.
    Gone,
    Report(Report),
}

#[derive(Default)]
pub(crate) struct Words(Vec<(NodeId, Word)>);

impl Word {
    fn replaces(&self, older: &Word) -> bool {
        match (self, older) {
            (Word::Gone, _) => true,
            (_, Word::Gone) => false,
            _ => matches!(self, Word::Report(_)) == matches!(older, Word::Report(_)),
        }
    }
}

impl Words {
    pub fn hear(&mut self, node: NodeId, word: Word) {
        self.0.retain(|(who, older)| *who != node || !word.replaces(older));
        self.0.push((node, word));
    }

    pub fn apply(&self, workloads: &Workloads, call: &mut Call, tx: &mut Tx) {
        for (node, word) in &self.0 {
            match word {
                Word::Joined(facts) => (workloads.joined)(call, tx, facts),
                Word::Left => (workloads.left)(call, tx, node),
                Word::Gone => (workloads.gone)(call, tx, node),
                Word::Report(report) => (workloads.report)(call, tx, node, report),
            }
        }
    }

    pub fn kept(&mut self) {
        self.0.clear();
    }

    /// It is not kept yet.
    pub fn tell_the_end_of(&self, node: &NodeId) -> bool {
        self.0.iter().any(|(who, word)| who == node && matches!(word, Word::Gone))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_kind_is_all_that_waits() {
        let mut words = Words::default();
        let report = |seen| Word::Report(Report { seen, tasks: vec![] });
        let said = [report(1), Word::Left, Word::Joined(NodeFacts::default()), report(2)];
        said.into_iter().for_each(|word| words.hear("a".into(), word));
        words.hear("b".into(), Word::Left);
        let line = |(node, word): &(NodeId, Word)| match word {
            Word::Joined(_) => format!("{node} joined"),
            Word::Left => format!("{node} left"),
            Word::Gone => format!("{node} gone"),
            Word::Report(report) => format!("{node} {}", report.seen),
        };
        assert_eq!(words.0.iter().map(line).collect::<Vec<_>>(), ["a joined", "a 2", "b left"]);
        let said = [Word::Gone, Word::Joined(NodeFacts::default()), report(3), Word::Left];
        said.into_iter().for_each(|word| words.hear("a".into(), word));
        assert_eq!(words.0.iter().map(line).collect::<Vec<_>>(), ["b left", "a gone", "a 3", "a left"]);
    }
}
