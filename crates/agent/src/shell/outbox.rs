//! Effects on their way out, in order: what stands behind a `Remember` waits until that is durable. All that is to be
//! remembered by then goes into one commit, also what came later: memory may be ahead of effects, never behind.

use super::memory::Group;
use crate::engine::Effect;
use std::collections::VecDeque;

#[derive(Default)]
pub struct Outbox {
    waiting: VecDeque<Effect>,
    writing: bool,
}

pub enum Step {
    Perform(Effect),
    /// To be answered with `written`.
    Write(Group),
}

impl Outbox {
    pub fn push(&mut self, effects: Vec<Effect>) {
        self.waiting.extend(effects);
    }

    pub fn written(&mut self) {
        self.writing = false;
    }

    fn group(&mut self) -> Group {
        let mut group = Group::default();
        for effect in std::mem::take(&mut self.waiting) {
            match effect {
                Effect::Remember { generation, put, forget } => {
                    group.generation = generation;
                    group.tasks.extend(put.into_iter().map(|task| (task.spec.id.clone(), Some(task))));
                    group.tasks.extend(forget.into_iter().map(|id| (id, None)));
                }
                other => self.waiting.push_back(other),
            }
        }
        group
    }
}

/// What can be done now; there may be more after `written` or `push`.
impl Iterator for Outbox {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.writing {
            return None;
        }
        if !matches!(self.waiting.front()?, Effect::Remember { .. }) {
            return self.waiting.pop_front().map(Step::Perform);
        }
        self.writing = true;
        Some(Step::Write(self.group()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Time;

    fn remember(generation: u64, forget: &str) -> Effect {
        Effect::Remember { generation, put: vec![], forget: vec![forget.to_owned()] }
    }

    fn all(outbox: &mut Outbox) -> String {
        let text = outbox.map(|step| match step {
            Step::Perform(Effect::WakeAt(at)) => at.0.to_string(),
            Step::Perform(_) => "?".into(),
            Step::Write(group) => format!("{}{:?}", group.generation, group.tasks.keys().collect::<Vec<_>>()),
        });
        text.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn nothing_overtakes_what_is_remembered_and_later_memory_joins_the_commit() {
        let mut outbox = Outbox::default();
        let wake = |n| Effect::WakeAt(Time(n));
        outbox.push(vec![wake(1), remember(5, "a"), wake(2), remember(6, "b"), wake(3)]);
        assert_eq!(all(&mut outbox), r#"1 6["a", "b"]"#);
        outbox.push(vec![remember(7, "c"), wake(4)]);
        assert_eq!(all(&mut outbox), "", "a write is under way");
        outbox.written();
        assert_eq!(all(&mut outbox), r#"2 3 7["c"]"#);
        outbox.written();
        assert_eq!(all(&mut outbox), "4");
    }
}
