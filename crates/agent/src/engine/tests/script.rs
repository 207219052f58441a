//! The words of the tests. A task: containers separated by `;`, each `name` (`name!` if essential) and `key=value`s; `@mode`
//! and `@volume` before them. What happens: one step a line, `+10` in front lets ten seconds pass, `-10` sets the clock back.

use super::world::World;
use crate::engine::*;
use expect_test::Expect;
use std::fmt::Write;
use workload::*;

pub fn check(task: &str, steps: &str, expected: Expect) {
    let mut script = Script::new(spec(task));
    for step in steps.lines().map(str::trim).filter(|step| !step.is_empty()) {
        script.step(step);
    }
    expected.assert_eq(&script.log);
}

pub fn spec(text: &str) -> TaskSpec {
    let mut spec = TaskSpec { id: "t".into(), ..TaskSpec::default() };
    for part in text.split(';').map(str::trim) {
        match part.strip_prefix('@') {
            Some("volume") => spec.volumes.push(VolumeSpec { name: "v".into(), source: VolumeSource::Task }),
            Some("host") => spec.network_mode = NetworkMode::Host,
            Some("awsvpc") => spec.network_mode = NetworkMode::Awsvpc,
            Some(other) => panic!("no such option: {other}"),
            None => spec.containers.push(container(part)),
        }
    }
    spec
}

fn container(text: &str) -> ContainerSpec {
    let mut words = text.split_whitespace();
    let name = words.next().expect("a container has a name");
    let mut container =
        ContainerSpec { name: name.trim_end_matches('!').into(), essential: name.ends_with('!'), ..ContainerSpec::default() };
    for (key, value) in words.map(|word| word.split_once('=').expect("key=value")) {
        set(&mut container, key, value);
    }
    container
}

fn set(container: &mut ContainerSpec, key: &str, value: &str) {
    let numbers = |value: &str| value.split('/').map(|n| n.parse().unwrap()).collect::<Vec<u32>>();
    match key {
        "after" => container.depends_on = value.split(',').map(dependency).collect(),
        "secret" => container.secrets.push(SecretSpec { name: value.into(), value_from: value.into() }),
        "registry" => container.registry_credentials = Some(value.into()),
        "links" => container.links.push(value.into()),
        "from" => container.volumes_from.push(VolumesFrom { container: value.into(), read_only: false }),
        "port" => {
            let port = numbers(value)[0] as u16;
            let (container_port, container_port_end) = (port, port);
            container.ports.push(PortSpec { container_port, host_port: port, protocol: Protocol::Tcp, container_port_end });
        }
        "start" => container.start_timeout_s = Some(numbers(value)[0]),
        "stop" => container.stop_timeout_s = Some(numbers(value)[0]),
        "health" => {
            let [interval_s, timeout_s, retries, start_period_s] = numbers(value)[..] else { panic!("{value}") };
            let command = vec!["probe".into()];
            container.health_check = Some(HealthCheck { command, interval_s, timeout_s, retries, start_period_s });
        }
        "restart" => {
            let numbers = numbers(value);
            let ignored_exit_codes = numbers[1..].iter().map(|code| *code as i32).collect();
            container.restart = Some(RestartPolicy { ignored_exit_codes, attempt_period_s: numbers[0] });
        }
        other => panic!("no such key: {other}"),
    }
}

fn dependency(text: &str) -> Dependency {
    let (container, condition) = text.split_once(':').expect("container:CONDITION");
    let condition = match condition {
        "START" => Condition::Start,
        "COMPLETE" => Condition::Complete,
        "SUCCESS" => Condition::Success,
        "HEALTHY" => Condition::Healthy,
        other => panic!("no such condition: {other}"),
    };
    Dependency { container: container.into(), condition }
}

struct Script {
    engine: Engine,
    world: World,
    spec: TaskSpec,
    generation: u64,
    log: String,
}

impl Script {
    fn new(spec: TaskSpec) -> Script {
        let mut engine = Engine::new();
        let mut world = World { now: Time(1_000_000), ..World::default() };
        engine.handle(world.now, Event::Recovered(world.inventory()));
        Script { engine, world, spec, generation: 1, log: String::new() }
    }

    fn step(&mut self, step: &str) {
        let (pause, words) = match step.starts_with(['+', '-']) {
            true => step.split_once(' ').unwrap_or((step, "tick")),
            false => ("0", step),
        };
        let seconds: i64 = pause.parse().unwrap();
        self.world.now = Time(self.world.now.0.saturating_add_signed(seconds * 1000));
        write!(self.log, "{step} ->").unwrap();
        for event in self.events(words) {
            let effects = self.engine.handle(self.world.now, event);
            effects.into_iter().for_each(|effect| self.perform(effect));
        }
        self.log.push('\n');
    }

    fn perform(&mut self, effect: Effect) {
        let since = Time(1_000_000);
        let text = show(&effect, since);
        if !text.is_empty() {
            write!(self.log, " {text}").unwrap();
        }
        self.world.perform(effect);
    }

    fn events(&mut self, words: &str) -> Vec<Event> {
        let words: Vec<&str> = words.split_whitespace().collect();
        let result = match words.last() {
            Some(last) if last.ends_with('?') => Err(format!("Cannot: {}", last.trim_end_matches('?'))),
            _ => Ok(()),
        };
        match words[..] {
            ["tick"] => vec![Event::Tick],
            ["assign"] => vec![self.assign(vec![self.spec.clone()])],
            ["stop"] => {
                self.spec.desired = Desired::Stopped;
                vec![self.assign(vec![self.spec.clone()])]
            }
            // Another one like it has its place.
            ["replace"] => vec![self.assign(vec![TaskSpec { id: "n".into(), ..self.spec.clone() }])],
            ["vanish"] => vec![self.assign(vec![])],
            ["older"] => vec![Event::Assigned(Assign { generation: 0, tasks: vec![] })],
            ["ready"] => self.finish(result, |e| {
                matches!(
                    e,
                    Effect::Open(_) | Effect::PrepareVolumes(_) | Effect::Fetch(_) | Effect::Attach { .. } | Effect::Pull { .. }
                )
            }),
            ["open", ..] => self.finish(result, |e| matches!(e, Effect::Open(_))),
            ["fetch", ..] => self.finish(result, |e| matches!(e, Effect::Fetch(_))),
            ["volumes", ..] => self.finish(result, |e| matches!(e, Effect::PrepareVolumes(_))),
            ["attach", name, ..] => self.finish(result, |e| matches!(e, Effect::Attach { plug, .. } if plug.id == name)),
            ["pull", name, ..] => self.finish(result, |e| matches!(e, Effect::Pull { container, .. } if container == name)),
            ["up", name, ..] => self.finish(result, |e| matches!(e, Effect::Start { container, .. } if container == name)),
            ["exit", name, code] => self.world.exit("t", name, code.parse().unwrap()).into_iter().collect(),
            // It exits before its start is told.
            ["flash", name, code] => {
                let mut events = self.finish(result, |e| matches!(e, Effect::Start { container, .. } if container == name));
                events.splice(0..0, self.world.exit("t", name, code.parse().unwrap()));
                events
            }
            ["healthy", name] => self.finish(Ok(()), |e| matches!(e, Effect::Probe { container, .. } if container == name)),
            ["sick", name] => self.finish(Err("1".into()), |e| matches!(e, Effect::Probe { container, .. } if container == name)),
            ["removed", ..] => self.finish(result, |e| matches!(e, Effect::Remove { .. })),
            ["cleaned", ..] => self.finish(result, |e| matches!(e, Effect::Detach { .. } | Effect::Close(_))),
            ["lost"] => vec![self.observed()],
            ["crash"] => {
                self.engine = Engine::new();
                vec![Event::Recovered(self.world.inventory())]
            }
            ["forget"] => {
                self.world.memory.clear();
                vec![]
            }
            // The machine, and it boots again.
            ["die"] => {
                self.world.die();
                self.engine = Engine::new();
                vec![Event::Recovered(self.world.inventory())]
            }
            // Ends without a word, as while the agent is away.
            ["silent", name, code] => {
                self.world.exit("t", name, code.parse().unwrap());
                vec![]
            }
            _ => panic!("no such step: {words:?}"),
        }
    }

    fn assign(&mut self, tasks: Vec<TaskSpec>) -> Event {
        self.generation += 1;
        Event::Assigned(Assign { generation: self.generation, tasks: tasks.into_iter().map(Arc::new).collect() })
    }

    /// The shim died, and what it held with it.
    fn observed(&mut self) -> Event {
        self.world.sandboxes.clear();
        self.world.containers.clear();
        Event::Observed { task: "t".into(), containers: vec![] }
    }

    fn finish(&mut self, result: Outcome<()>, which: impl Fn(&Effect) -> bool) -> Vec<Event> {
        let (done, rest) = std::mem::take(&mut self.world.in_flight).into_iter().partition(which);
        self.world.in_flight = rest;
        let done: Vec<Effect> = done;
        done.into_iter().filter_map(|effect| self.world.finish(effect, result.clone())).collect()
    }
}

fn show(effect: &Effect, since: Time) -> String {
    match effect {
        Effect::Remember { .. } => "remember;".into(),
        Effect::Open(_) => "open;".into(),
        Effect::PrepareVolumes(_) => "volumes;".into(),
        Effect::Fetch(_) => "fetch;".into(),
        Effect::Attach { plug, .. } => format!("attach {};", plug.id),
        Effect::Pull { container, .. } => format!("pull {container};"),
        Effect::Start { container, again: false, .. } => format!("start {container};"),
        Effect::Start { container, .. } => format!("restart {container};"),
        Effect::Signal { container, signal, .. } => format!("signal {container} {signal};"),
        Effect::Probe { container, .. } => format!("probe {container};"),
        Effect::Remove { container, .. } => format!("remove {container};"),
        Effect::Detach { id, .. } => format!("detach {id};"),
        Effect::Close(_) => "close;".into(),
        Effect::Report(report) if report.tasks.is_empty() => "nothing;".into(),
        Effect::Report(report) => report.tasks.iter().map(status).collect::<Vec<_>>().join(" "),
        Effect::WakeAt(at) => format!("wake@{};", at.since(since).as_secs()),
    }
}

fn status(task: &TaskStatus) -> String {
    let cause = task.cause.as_ref().map(|cause| format!(" {cause:?}")).unwrap_or_default();
    let containers: Vec<String> = task.containers.iter().map(container_status).collect();
    format!("{:?}{cause}[{}];", task.phase, containers.join(" "))
}

fn container_status(container: &ContainerStatus) -> String {
    let mut text = format!("{}:{:?}", container.name, container.phase);
    let details = [
        container.exit_code.map(|code| code.to_string()),
        (container.health != Health::Unknown).then(|| format!("{:?}", container.health)),
        (container.restart_count > 0).then(|| format!("restarts={}", container.restart_count)),
        container.reason.clone(),
    ];
    for detail in details.into_iter().flatten() {
        write!(text, " {detail}").unwrap();
    }
    text
}
