//! What a node says, on its way into the link; mutations of what it says.

use super::Node;
use crate::mutation::Mutation;
use crate::stage::{Stage, short};
use crate::world::Event as WorldEvent;
use link::ToPlane;
use workload::{ContainerPhase, Report, TaskPhase};

impl Node {
    pub(super) fn report(&mut self, report: Report, stage: &mut Stage) {
        let report = mutated(report, stage);
        for task in &report.tasks {
            if self.told.insert(task.id.clone(), task.phase) != Some(task.phase) {
                let cause = task.cause.as_ref().map(|cause| format!(", {cause:?}")).unwrap_or_default();
                stage.say(&self.id, format_args!("says {} is {:?}{cause}", short(&task.id), task.phase));
            }
        }
        self.send(ToPlane::Report(report), stage);
    }

    /// Nobody hears what is said without a link; once there is one, it begins with hello.
    pub(super) fn send(&mut self, message: ToPlane, stage: &mut Stage) {
        let Some(link) = self.agent.as_ref().and_then(|agent| agent.link.as_ref()) else { return };
        link.end.send(message);
        let (node, session) = (self.id.clone(), link.session);
        if std::mem::take(&mut self.is_cut_short) && !stage.calm {
            stage.plan(0, WorldEvent::LinkBreaks { node: node.clone() });
        }
        let delay_ms = if stage.calm { 5 } else { stage.profile.message_delay_ms };
        stage.plan_within(delay_ms, WorldEvent::ReadAtPlane { node, session });
    }
}

fn mutated(mut report: Report, stage: &mut Stage) -> Report {
    match stage.mutation {
        Some(Mutation::FalseAbsence) if !report.tasks.is_empty() && stage.rng.chance(10) => {
            report.tasks.remove(0);
        }
        Some(Mutation::StoppedTooSoon) => {
            for task in report.tasks.iter_mut().filter(|task| task.phase == TaskPhase::Stopping) {
                task.phase = TaskPhase::Stopped;
            }
        }
        Some(Mutation::ExitCodesMixed) => {
            let containers = report.tasks.iter_mut().flat_map(|task| &mut task.containers);
            containers.filter(|c| c.phase == ContainerPhase::Stopped).for_each(|c| c.exit_code = c.exit_code.map(|_| 0));
        }
        Some(Mutation::OutOfMemoryUntold) => {
            let containers = report.tasks.iter_mut().flat_map(|task| &mut task.containers);
            containers.for_each(|c| c.reason = None);
        }
        _ => {}
    }
    report
}
